// Of the one table of errors (errors.ts) the part about the Kubernetes API.

export const KUBERNETES_ERRORS = {
  KUBERNETES_UNAVAILABLE: {
    exit: 1,
    meaning: "The Kubernetes API does not answer, or not as it should.",
    remedy: "Members keep their parts; see: kubectl get --raw /readyz",
  },
  KUBERNETES_FORBIDDEN: {
    exit: 4,
    meaning: "The Kubernetes API does not let this account do that.",
    remedy: "See what it may do: kubectl auth can-i --list",
  },
  KUBERNETES_REFUSED: {
    exit: 1,
    meaning: "The Kubernetes API does not accept an object, or a change to one.",
    remedy: "The message carries what it said.",
  },
  KUBERNETES_LACKS_KIND: {
    exit: 3,
    meaning: "The Kubernetes API has no objects of that kind, or not in that version.",
    remedy: "See what it has: kubectl api-resources",
  },
  KUBECONFIG_NOT_FOUND: {
    exit: 3,
    meaning: "There is no kubeconfig, or it has no context, cluster or user of that name.",
    remedy: "See what there is: kubectl config get-contexts",
  },
  KUBECONFIG_INVALID: {
    exit: 2,
    meaning: "The kubeconfig cannot be read, or says what Understudy does not do.",
    remedy: "Compare with: kubectl config view",
  },
} as const;

// Where the cluster's token stands in a request that comes through the API server of Kubernetes.

export const TOKEN_HEADER = "x-understudy-token";

// An argument for which a shell is offered words, and which takes others too.
import { Argument } from "commander";

export class OfferingArgument extends Argument {
  readonly offers: readonly string[];

  constructor(name: string, of: { description: string; offers: readonly string[] }) {
    super(name, of.description);
    this.offers = of.offers;
  }
}

// Validate resources of the Prometheus Operator, a JSON list on standard input, against its published schemas.
import { readFileSync } from "node:fs";
import * as models from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";

for (const resource of JSON.parse(readFileSync(0, "utf8"))) {
  new models[resource.kind](resource).validate();
}

// Checks custom resources of Kubernetes, as JSON in the file named, with the schemas of those who define them. Prints one
// line for each fault.
import { readFileSync } from "node:fs";
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject";
import { PrometheusRule } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule";
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor";

const KINDS = { ScaledObject, PrometheusRule, ServiceMonitor };

for (const resource of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  const { apiVersion, kind } = new KINDS[resource.kind]();
  if (resource.apiVersion !== apiVersion) console.log(`${kind}: ${resource.apiVersion} is not ${apiVersion}`);
  try {
    new KINDS[resource.kind](resource).validate();
  } catch (fault) {
    console.log(`${kind}: ${fault.message.replaceAll("\n", "; ")}`);
  }
}

// The plugin of exporter/web/static/charts.js.

import type { ChartType } from "chart.js";

declare module "chart.js" {
  interface PluginOptionsByType<TType extends ChartType> {
    notRead?: { places: number[]; color: string };
  }
}

// The body of /api/v1/report (exporter/web/report.py), and Chart.js as its script makes it known.

type Amounts = Record<string, number>;

interface Coverage {
  read: number;
  days: number;
}

interface Totals {
  active_users: Amounts | null;
  lines_of_code: Amounts | null;
  cost_usd: number | null;
  estimated_cost_usd: number | null;
  sessions: number | null;
  commits: number | null;
  pull_requests: number | null;
  tokens: number | null;
  tool_actions: Amounts | null;
}

interface Day {
  date: string;
  cost_usd: Amounts | null;
  estimated_cost_usd: Amounts | null;
  lines_of_code: Amounts | null;
  active_users: Amounts | null;
  sessions: number | null;
  commits: number | null;
  pull_requests: number | null;
  tokens: Amounts | null;
  tool_actions: Amounts | null;
}

interface User {
  user: string;
  actor_type: string;
  sessions: number;
  lines_added: number;
  lines_removed: number;
  commits: number;
  pull_requests: number;
  accepted: number;
  rejected: number;
  tokens: number;
  estimated_cost_usd: number;
  active_days: number;
  last_active: string;
}

interface Report {
  from: string;
  to: string;
  today: string;
  as_of: string | null;
  organization: { id: string; name: string } | null;
  coverage: Record<string, Coverage>;
  totals: Totals;
  previous: Totals | null;
  days: Day[];
  models: { model: string; cost_usd: number; share: number }[];
  tools: { tool: string; accepted: number; rejected: number }[];
  users: User[];
}

declare const Chart: typeof import("chart.js").Chart;
type ChartOnCanvas = import("chart.js").Chart;
type Bars = import("chart.js").ChartConfiguration<"bar">;

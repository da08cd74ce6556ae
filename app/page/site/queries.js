// What a list costs, by strategy and length.

import { byId, element, on, tell } from "./dom.js";
import { Refused } from "./account.js";

const STRATEGIES = ["default", "naive", "select_related", "prefetch_related"];
const ROWS = [10, 100, 500];

export function startQueries(account) {
  const region = byId("queries");
  on(byId("compare"), "click", async () => {
    const body = element("tbody");
    tell("Asking for twelve lists, one after another …");
    for (const strategy of STRATEGIES) {
      for (const rows of ROWS) body.append(row(strategy, rows, await ask(account, strategy, rows)));
    }
    region.querySelector("tbody").replaceWith(body);
    region.hidden = false;
    tell("The strategies are compared: the table is filled.");
  });
}

/** Ask for one page, and answer with the cells of its row; one at a time, or they would slow each other down. */
async function ask(account, strategy, rows) {
  const chosen = strategy === "default" ? "" : `&strategy=${strategy}`;
  const answer = await account.call(`/api/books/?page_size=${rows}${chosen}`, { headers: { "X-Lab-Trace": "on" } });
  if (!answer.ok) throw new Refused(answer);
  const queries = answer.headers.get("X-Query-Count");
  if (queries === null) throw new Error("This server does not count its queries: the lab's own switch is off.");
  const timing = answer.headers.get("Server-Timing") ?? "";
  return [queries, durationMs(timing, "db"), durationMs(timing, "total")];
}

const durationMs = (timing, name) => timing.match(new RegExp(`\\b${name};dur=([0-9.]+)`))?.[1] ?? "–";

function row(strategy, rows, cells) {
  const heading = element("th", strategy);
  heading.scope = "row";
  return element("tr", heading, ...[String(rows), ...cells].map((text) => element("td", text)));
}

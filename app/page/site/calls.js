// Protected routes: what is asked, and what comes back.

import { request } from "./account.js";
import { byId, element, on, tell } from "./dom.js";
import { statusInWords } from "./words.js";

const TRACED = { "X-Lab-Trace": "on" };

/** What can be sent; `way` is the one that is signed in by. */
const ROUTES = {
  "GET who I am": (way) => ({ path: `/api/auth/${way}/me/` }),
  "GET three books": () => ({ path: "/api/books/?page_size=3" }),
  "GET three authors": () => ({ path: "/api/authors/?page_size=3" }),
  "GET three publishers": () => ({ path: "/api/publishers/?page_size=3" }),
  "POST a new book (editors and admins)": () => ({ path: "/api/books/", method: "POST", body: newBook() }),
};

export function startCalls(account) {
  byId("route").append(...Object.keys(ROUTES).map((name) => element("option", name)));
  on(byId("call"), "submit", async () => {
    const { path, ...options } = ROUTES[byId("route").value](account.way);
    const headers = options.method === "POST" ? { ...TRACED, "Idempotency-Key": newKey() } : TRACED;
    const answer = byId("anonymous").checked
      ? await request(path, { ...options, headers, credentials: "omit" })
      : await account.call(path, { ...options, headers });
    show(answer);
    tell(`${options.method ?? "GET"} ${path}: ${statusInWords(answer.status)}.`);
  });
}

function show({ status, body, headers, tookMs }) {
  const queries = headers.get("X-Query-Count");
  byId("answer").hidden = false;
  byId("answer-status").textContent = statusInWords(status);
  byId("answer-cost").textContent = `in ${Math.round(tookMs)} ms${queries === null ? "" : `, queries: ${queries}`}`;
  byId("answer-body").textContent = body === null ? "(no body)" : JSON.stringify(body, null, 2);
}

/** Random digits; randomUUID would want TLS. */
const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

function newBook() {
  const isbn = Array.from(crypto.getRandomValues(new Uint8Array(13)), (each) => each % 10).join("");
  const published = new Date().toISOString().slice(0, 10);
  return { title: `Made on the page, ${published}`, isbn, published, pages: 1, author_id: 1, publisher_ids: [1] };
}

// Who answered: the server, as it says itself where the lab has switched that on.

import { request } from "./account.js";
import { byId, element, on } from "./dom.js";

const SERVERS = ["gunicorn", "uwsgi", "mod-wsgi", "daphne", "uvicorn", "hypercorn", "granian", "waitress"];

/** Ask now and whenever somebody wants to know again; answer with what was said first, {} if nothing. */
export async function startServer() {
  on(byId("ask-again"), "click", ask);
  return ask();
}

async function ask() {
  const answer = await request("/lab/identity");
  byId("server-absent").hidden = answer.ok;
  byId("lab-users").hidden = !answer.ok;
  byId("server").replaceChildren(...(answer.ok ? facts(answer.body) : []));
  return answer.ok ? answer.body : {};
}

function facts(identity) {
  const told = {
    Server: named(identity),
    Variant: identity.variant || "–",
    Interface: identity.interface,
    Process: `${identity.pid} on ${identity.hostname}`,
    Database: identity.database,
    Cache: identity.cache,
    Sessions: identity.session_store,
    Tokens: `${identity.jwt_algorithm}, verified by ${identity.jwt_verify}; plain in a ${identity.plain_tokens}`,
    Software: `Django ${identity.django}, Python ${identity.python}`,
  };
  return Object.entries(told).map(([name, value]) => element("div", element("dt", name), element("dd", String(value ?? "–"))));
}

/** Every image holds one server only; what holds none runs Django's own. */
function named({ distributions }) {
  const name = SERVERS.find((each) => each in distributions);
  return name ? `${name} ${distributions[name]}` : "runserver";
}

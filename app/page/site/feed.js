// The live feed: a ticket by POST, then a WebSocket that shows it once, as a sub-protocol. No token is in an address.

import { Refused } from "./account.js";
import { byId, element, on, tell, warn } from "./dom.js";

const PROTOCOL = "serverlab.feed.v1";
const CREDENTIAL_ENDED = 4401;
const MOST_CHANGES = 50;
const NONE_HERE = "This server has no WebSockets: there is no feed here.";
const REFUSED = "The server refused to open the feed.";
const CLOSED = {
  1000: "Stopped.",
  1001: "Closed: the server is going away.",
  [CREDENTIAL_ENDED]: "Closed: the credential's life has ended.",
  4403: "Closed: the credential was revoked.",
  4408: "Closed: too many messages.",
  4413: "Closed: a message was too large.",
  4503: "Closed: the server cannot find out whether the credential is still good.",
};

export function startFeed(account, identity) {
  let socket = null;

  async function follow() {
    const { realtime } = await identity;
    if (realtime === false) throw new Error(NONE_HERE);
    const ticket = await ticketFor(account);
    socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws/feed/`, [PROTOCOL, `ticket.${ticket}`]);
    let opened = false;
    socket.onmessage = ({ data }) => {
      opened = true;
      receive(JSON.parse(data));
    };
    socket.onclose = ({ code }) => {
      socket = null;
      showConnected(false);
      state(opened ? CLOSED[code] ?? `Closed by the server, code ${code}.` : realtime ? REFUSED : NONE_HERE);
      if (code === CREDENTIAL_ENDED && account.user !== null && account.renewsItself) again();
    };
  }

  /** Follow on with the refreshed credential, for a new ticket. */
  async function again() {
    try {
      await follow();
    } catch (error) {
      warn(error);
    }
  }

  on(byId("follow"), "click", async () => {
    state("Connecting …");
    try {
      await follow();
    } catch (error) {
      state(error.message);
      throw error;
    }
  });
  on(byId("unfollow"), "click", () => socket?.close(1000));
  on(byId("ping"), "click", () => socket?.send(JSON.stringify({ type: "ping", echo: String(performance.now()) })));
}

async function ticketFor(account) {
  const answer = await account.call("/api/realtime/ticket/", { method: "POST" });
  if (answer.status === 404) throw new Error(NONE_HERE);
  if (!answer.ok) throw new Refused(answer);
  return answer.body.ticket;
}

function receive(message) {
  if (message.type === "welcome") {
    showConnected(true);
    state(`Connected as ${message.user.username ?? message.user}. Waiting for changes.`);
  } else if (message.type === "pong") {
    tell(`The server answered the ping after ${(performance.now() - Number(message.echo)).toFixed(1)} ms.`);
  } else if (message.type === "change") {
    showChange(message);
  }
}

function showChange({ at, model, id, action }) {
  const time = new Date(at * 1000).toLocaleTimeString("en-GB");
  const list = byId("changes");
  list.prepend(element("li", `${time}: ${model} ${id} ${action}`));
  while (list.children.length > MOST_CHANGES) list.lastChild.remove();
}

const state = (text) => (byId("feed-state").textContent = text);

function showConnected(connected) {
  byId("follow").hidden = connected;
  byId("ping").hidden = byId("unfollow").hidden = !connected;
}

// Requests, and the credential that goes with them. Tokens live in the memory of this module, and nowhere else.

import { reasonOf } from "./words.js";

const SAFE = new Set(["GET", "HEAD"]);
const LONGEST_MARGIN_S = 30;

/** An answer that is a refusal; `fields` are the names of what was wrong in the request. */
export class Refused extends Error {
  constructor(answer) {
    super(reasonOf(answer));
    this.status = answer.status;
    this.fields = Object.keys(answer.body ?? {});
  }
}

/** Answer {status, ok, headers, body, tookMs} of a request; throws only if there was no answer. */
export async function request(path, { method = "GET", body, headers = {}, credentials = "same-origin" } = {}) {
  const type = body === undefined ? {} : { "Content-Type": "application/json" };
  const begun = performance.now();
  let response, text;
  try {
    response = await fetch(path, {
      method,
      credentials,
      cache: "no-store",
      headers: { ...type, ...headers },
      body: JSON.stringify(body),
    });
    text = await response.text();
  } catch {
    throw new Error("The server did not answer. Is it still running?");
  }
  const tookMs = performance.now() - begun;
  return { status: response.status, ok: response.ok, headers: response.headers, body: parsed(text), tookMs };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function granted(answering) {
  const answer = await answering;
  if (!answer.ok) throw new Refused(answer);
  return answer;
}

/** Who is signed in on this page, and how. Sends "change" whenever any of that is another. */
export class Account extends EventTarget {
  way = "session";
  user = null;
  access = null;
  lifetimeS = null; // of the access token; null where there is none, or nobody knows
  renewsItself = true;
  renewals = 0;
  #refresh = null;
  #endsAt = 0;
  #renewing = null;

  /** Seconds that the access token has left; a clock of this machine's own, whatever time the server has. */
  get remainingS() {
    return (this.#endsAt - performance.now()) / 1000;
  }

  /** Whether it is time to refresh; somewhat before the end, or a request under way would come too late. */
  get isDue() {
    return this.lifetimeS !== null && this.remainingS <= Math.min(LONGEST_MARGIN_S, this.lifetimeS / 4);
  }

  async signUp(way, { username, email, password }) {
    await granted(this.#post(way, "signup", { username, email, password }));
    await this.signIn(way, { username, password });
  }

  async signIn(way, { username, password }) {
    const { body } = await granted(this.#post(way, "login", { username, password }));
    this.#begin(way, body);
  }

  /** Ask who we are: a cookie may have outlived the page. */
  async whoAmI(way) {
    const answer = await this.call(`/api/auth/${way}/me/`);
    if (answer.status === 401) this.#end();
    const { body } = await granted(answer);
    if (this.user === null) this.#begin(way, { user: body });
    if (way === "plain" && this.lifetimeS === null) await this.renew(); // found in cookies: how long they last is not
  }

  async signOut() {
    await this.#settled();
    const answer = await this.#post(this.way, "logout", this.#refreshBody());
    if (answer.status === 401) this.#end();
    await granted(answer);
    this.#end();
  }

  async signOutEverywhere() {
    await granted(this.call(`/api/auth/${this.way}/logout-everywhere/`, { method: "POST" }));
    this.#end();
  }

  /** Trade the refresh token for the next pair. At most one such request at a time: a second one would send a spent
      token, and that ends the whole family. */
  renew() {
    this.#renewing ??= this.#renewed().finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  /** Send a request with the credential; without one where nobody is signed in. */
  async call(path, options = {}) {
    await this.#settled();
    return request(path, { ...options, headers: { ...options.headers, ...(await this.#credential(options.method)) } });
  }

  /** Wait for a refresh that is under way or due, so that what is sent next is not spent by then. */
  async #settled() {
    if (this.#renewing !== null || (this.renewsItself && this.isDue)) await this.renew();
  }

  async #credential(method = "GET") {
    if (this.access !== null) return { Authorization: `Bearer ${this.access}` };
    return SAFE.has(method) ? {} : csrfHeader(this.way);
  }

  async #post(way, action, body) {
    return request(`/api/auth/${way}/${action}/`, { method: "POST", body, headers: await csrfHeader(way) });
  }

  async #renewed() {
    const answer = await this.#post(this.way, "refresh", this.#refreshBody());
    if (answer.status === 401) this.#end();
    const { body } = await granted(answer);
    this.#hold(body);
    this.renewals += 1;
    this.#changed();
  }

  /** Where the refresh token is in a cookie, or there is none, there is nothing to say. */
  #refreshBody() {
    return this.#refresh === null ? undefined : { refresh: this.#refresh };
  }

  #begin(way, { user, ...pair }) {
    Object.assign(this, { way, user, renewals: 0 });
    this.#hold(pair);
    this.#changed();
  }

  #end() {
    this.user = null;
    this.#hold({});
    this.#changed();
  }

  #hold({ access = null, refresh = null, expires_in: lifetimeS = null }) {
    Object.assign(this, { access, lifetimeS });
    this.#refresh = refresh;
    this.#endsAt = performance.now() + (lifetimeS ?? 0) * 1000;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** The proof that this page sends a request that a cookie goes with; jwt knows no cookies. */
async function csrfHeader(way) {
  if (way === "jwt") return {};
  const { body } = await granted(request("/api/auth/csrf/"));
  return { "X-CSRFToken": body.csrf_token };
}

// The access token: taken apart, explained, and watched until it ends.

import { byId, element, on, tell, warn } from "./dom.js";
import { claimInWords, lengthInWords } from "./words.js";

const TICK_MS = 250;

export function startToken(account) {
  on(byId("renew"), "click", async () => {
    await account.renew();
    tell("Refreshed: the tokens before are spent.");
  });
  byId("renews").addEventListener("change", ({ currentTarget }) => (account.renewsItself = currentTarget.checked));
  account.addEventListener("change", () => show(account));
  setInterval(() => tick(account), TICK_MS);
  show(account);
}

/** Count down and, when it is time, refresh. A refusal ends that: asking again would only be refused again. */
async function tick(account) {
  if (account.lifetimeS === null) return;
  showRemaining(account);
  if (!account.isDue || !account.renewsItself) return;
  try {
    await account.renew();
  } catch (error) {
    byId("renews").checked = account.renewsItself = false;
    warn(error);
  }
}

function showRemaining({ remainingS, lifetimeS }) {
  byId("countdown").textContent = remainingS > 0 ? lengthInWords(remainingS) : "0 s: it has expired";
  byId("remaining").value = Math.max(0, remainingS / lifetimeS);
}

function show(account) {
  const { user, way, access, lifetimeS, renewals } = account;
  byId("token").hidden = access === null;
  byId("life").hidden = lifetimeS === null;
  byId("token-absent").hidden = access !== null;
  byId("token-absent").textContent = absence(user, way);
  byId("renewals").textContent = `Refreshed ${renewals} ${renewals === 1 ? "time" : "times"}.`;
  if (lifetimeS !== null) showRemaining(account);
  if (access !== null) takeApart(access);
}

function absence(user, way) {
  if (user === null) return "Sign in by jwt or plain to see one. A session has no token.";
  if (way === "session") return "A session has no token: the browser holds a cookie with a random name, the server the rest.";
  return "The tokens are in cookies that no script can read: there is nothing that this page could show.";
}

function takeApart(token) {
  const [header, payload, signature] = token.split(".");
  for (const [name, part] of Object.entries({ header, payload, signature })) {
    byId(`encoded-${name}`).textContent = part;
  }
  const signing = decoded(header);
  byId("header-claims").replaceChildren(...claims(signing));
  byId("payload-claims").replaceChildren(...claims(decoded(payload)));
  byId("signature-words").textContent = signatureInWords(signing, bytesOf(signature).length);
}

function claims(fields) {
  return Object.entries(fields).flatMap(([name, value]) => [
    element("dt", element("code", name), " ", element("code", JSON.stringify(value))),
    element("dd", claimInWords(name, value)),
  ]);
}

function signatureInWords({ alg }, length) {
  const made = `${length} bytes, made with ${alg} over the two parts before it: none of their letters can be changed without it.`;
  return alg.startsWith("HS")
    ? `${made} Only the server can make or check it, because both take its secret.`
    : `${made} Anybody can check it with the public key of that name at /.well-known/jwks.json; only the server can make it.`;
}

const decoded = (part) => JSON.parse(new TextDecoder().decode(bytesOf(part)));

/** Of base64url without padding, which is base64 but for two characters. */
const bytesOf = (part) => Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));

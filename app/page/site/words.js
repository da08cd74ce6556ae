// What codes, claims and moments mean, in words.

const STATUS = {
  200: "OK",
  201: "created",
  204: "done, nothing to show",
  400: "refused: something in the request is wrong",
  401: "refused: no valid credential",
  403: "refused: not allowed for your role",
  404: "not found",
  409: "refused: it conflicts with what is there",
  422: "refused: the same key with another request",
  429: "refused: too many attempts",
};

/** "401 refused: no valid credential". */
export const statusInWords = (status) => `${status} ${STATUS[status] ?? (status < 500 ? "refused" : "the server failed")}`;

/** Why an answer is a refusal, as far as its body tells. */
export function reasonOf({ status, body, headers }) {
  const wait = headers.get("Retry-After");
  const after = wait ? ` Try again in ${wait} seconds.` : "";
  if (typeof body?.detail === "string") return body.detail + after;
  if (body === null || typeof body !== "object") return statusInWords(status) + after;
  return Object.entries(body).map(([field, reasons]) => `${field}: ${[reasons].flat().join(" ")}`).join(" ") + after;
}

const CLAIMS = {
  alg: "the algorithm of the signature",
  typ: "what this is: a JSON Web Token",
  kid: "the name of the key that signed it",
  iss: "issuer: who made it",
  aud: "audience: whom it is for",
  sub: "subject: whom it speaks of",
  user_id: "whom it speaks of",
  token_type: "access opens doors, refresh buys the next pair",
  jti: "its own name: no two tokens share one",
  iat: "issued at",
  nbf: "not good before",
  exp: "expires at",
  fam: "family: all tokens that come from one sign-in",
  ver: "version of the user's tokens: a higher one ends all of them",
  role: "what the holder may do",
  name: "the user's name",
  end: "the family's end, however often it is refreshed",
};
const MOMENTS = new Set(["iat", "nbf", "exp", "end"]);

/** What a claim says, for people; moments with their distance from now. */
export function claimInWords(name, value) {
  const meaning = CLAIMS[name] ?? "a claim of this application";
  return MOMENTS.has(name) ? `${meaning} ${momentInWords(value)}` : meaning;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });
const DISTANCE = new Intl.RelativeTimeFormat("en", { numeric: "always" });
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

/** "22 Nov 2026, 10:12:03 UTC (in 10 minutes)" of seconds since the epoch. */
export function momentInWords(seconds) {
  const distance = seconds - Date.now() / 1000;
  const [unit, length] = UNITS.find(([, each]) => Math.abs(distance) >= each) ?? UNITS.at(-1);
  return `${CLOCK.format(seconds * 1000)} (${DISTANCE.format(Math.round(distance / length), unit)})`;
}

/** "9 min 05 s" of seconds. */
export function lengthInWords(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

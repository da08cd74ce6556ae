// Signing up, in and out.

import { byId, on, tell } from "./dom.js";

export function startSignIn(account) {
  const form = byId("credentials");

  on(form, "submit", async ({ submitter }) => {
    const { way, ...fields } = Object.fromEntries(new FormData(form));
    markWrong(form, []);
    try {
      await (submitter?.value === "signup" ? account.signUp(way, fields) : account.signIn(way, fields));
    } catch (refused) {
      markWrong(form, refused.fields ?? []);
      throw refused;
    }
    form.elements.password.value = "";
    tell(`Signed in as ${account.user.username}.`);
    byId("who").focus();
  });
  on(byId("me"), "click", async () => {
    await account.whoAmI(account.user === null ? new FormData(form).get("way") : account.way);
    tell(`You are ${described(account)}.`);
  });
  on(byId("logout"), "click", () => leave(() => account.signOut(), "Logged out."));
  on(byId("logout-everywhere"), "click", () =>
    leave(() => account.signOutEverywhere(), "Logged out everywhere: every token and every session has ended."));

  account.addEventListener("change", () => show(account));
  show(account);
}

async function leave(action, done) {
  await action();
  tell(done);
  byId("who").focus();
}

const described = ({ user, way }) => `${user.username}, ${user.role}, signed in by ${way}`;

function show(account) {
  const signedIn = account.user !== null;
  byId("who").textContent = signedIn ? `You are ${described(account)}.` : "You are not signed in.";
  byId("credentials").hidden = signedIn;
  byId("logout").hidden = byId("logout-everywhere").hidden = !signedIn;
}

/** Mark the fields that the server found wrong, and go to the first of them. */
function markWrong(form, names) {
  const inputs = [...form.querySelectorAll("input:not([type=radio])")];
  for (const input of inputs) {
    input.toggleAttribute("aria-invalid", false);
    if (!names.includes(input.name)) continue;
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", "alert");
  }
  inputs.find((input) => names.includes(input.name))?.focus();
}

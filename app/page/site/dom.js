// The page's elements. Whatever comes from a server is set as text: no string ever becomes markup.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** A new element that holds elements or text. */
export function element(name, ...content) {
  const made = document.createElement(name);
  made.append(...content);
  return made;
}

/** Say it in the bar at the foot of the page, politely; what was wrong before is over. */
export function tell(text) {
  byId("alert").textContent = "";
  byId("status").textContent = text;
}

/** Say at once what went wrong. */
export function warn(error) {
  byId("status").textContent = "";
  byId("alert").textContent = error.message;
}

/** Run `action` on each event of this type; what it throws is said, and what it was asked by waits for it. */
export function on(target, type, action) {
  target.addEventListener(type, async (event) => {
    event.preventDefault();
    const asked = event.submitter ?? event.currentTarget;
    if (asked.getAttribute("aria-busy") === "true") return;
    asked.setAttribute("aria-busy", "true");
    try {
      await action(event);
    } catch (error) {
      warn(error);
    } finally {
      asked.removeAttribute("aria-busy");
    }
  });
}

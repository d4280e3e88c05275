// The key is sent once; what remains is a cookie that no script can read.

import { ask, explained } from "./api.js";
import { fill, find } from "./dom.js";

const key = find("#key");

find("#sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await ask("/sign-in", { method: "POST", body: { key: key.value.trim() } });
    location.assign(next());
  } catch (error) {
    fill(find("#refused"), explained(error));
    key.select();
  }
});

/** Where somebody was before his session ended: a page of this very service, else the first one. */
function next() {
  const asked = new URL(new URLSearchParams(location.search).get("next") ?? "/", location.origin);
  return asked.origin === location.origin ? asked.pathname : "/";
}

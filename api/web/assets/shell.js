// On every page: leaving.

import { ask } from "./api.js";

document.querySelector("#sign-out")?.addEventListener("click", async () => {
  await ask("/sign-out", { method: "POST" }).catch(() => {});
  location.assign("/sign-in");
});

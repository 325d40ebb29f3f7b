// @ts-check
/** Starts the page. */
import { configure } from "./api.js";
import { Announcer } from "./announcer.js";
import { checkPage } from "./check.js";
import { connection } from "./connection.js";
import { byId } from "./dom.js";
import { entryPage } from "./entry.js";
import { eventsPage } from "./feed.js";
import { foreignPage } from "./foreign.js";
import { historyPage } from "./history.js";
import { askForToken, token } from "./login.js";
import { overview } from "./overview.js";
import { route } from "./router.js";
import { Store } from "./store.js";

/** @param {import("./router.js").Address} address */
function viewOf({ parts, query }) {
  if (parts.length === 0) return overview(query);
  if (parts.length === 2 && parts[0] !== "history") return entryPage(parts[0], parts[1]);
  if (parts[0] === "events") return eventsPage();
  if (parts[0] === "history") return historyPage(parts[1]);
  if (parts[0] === "foreign") return foreignPage();
  if (parts[0] === "check") return checkPage();
  return overview(query);
}

configure({ token, onUnauthorized: askForToken });
const store = new Store();
connection(byId("connection"), byId("lost"), store);
new Announcer(byId("announcer"), store);
route(byId("main"), viewOf, store);
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the part behind # says which view is shown
  byId("main").focus();
});
addEventListener("keydown", (event) => {
  const isTyping = /** @type {Element} */ (event.target).matches("input, textarea, select");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.getElementById("search");
  if (!search) return;
  event.preventDefault();
  search.focus();
});
store.start();

// @ts-check
/** Asks for the token of the API, and keeps it for this tab only. */
import { byId } from "./dom.js";

const KEY = "proxysync-token";

/** @type {Promise<boolean> | null} */
let asked = null;

export function token() {
  return sessionStorage.getItem(KEY);
}

/** Gets another token from the reader; whoever asks meanwhile gets the same one. */
export function askForToken() {
  asked ||= new Promise((resolve) => {
    const dialog = /** @type {HTMLDialogElement} */ (byId("login"));
    const field = /** @type {HTMLInputElement} */ (byId("token"));
    byId("login-error").hidden = token() === null;
    field.setAttribute("aria-invalid", String(token() !== null));
    field.value = "";
    const form = /** @type {HTMLFormElement} */ (byId("login-form"));
    form.onsubmit = (event) => {
      event.preventDefault();
      if (!field.value.trim()) return;
      sessionStorage.setItem(KEY, field.value.trim());
      asked = null;
      dialog.close();
      resolve(true);
    };
    // There is nothing behind it without a token.
    dialog.oncancel = (event) => event.preventDefault();
    dialog.onclose = () => asked && dialog.showModal();
    if (!dialog.open) dialog.showModal();
    field.focus();
  });
  return asked;
}

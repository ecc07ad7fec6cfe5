// Nothing here is needed: every page works without it. It passes over a second click on a form that is on its
// way, says that the answer is being sent, checks all boxes at once and counts them, offers more time before the time
// to answer runs out, and says when it has.
"use strict";

const WAIT = 10000; // then a click counts again: the network may have swallowed the first

const sent = new Set();
const status = document.getElementById("status");
const leaving = document.getElementById("leaving");
const chosen = document.getElementById("chosen");

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (sent.has(form)) {
    event.preventDefault();
    return;
  }
  if (event.submitter?.name === "check") {
    event.preventDefault();
    const part = event.submitter.closest("fieldset") ?? form;
    for (const box of part.querySelectorAll("[type=checkbox]")) box.checked = event.submitter.value !== "none";
    count();
    return;
  }
  if (event.submitter?.name === "extend" && isFetchable && ends > Date.now()) {
    event.preventDefault();
    getMoreTime(form, event.submitter);
    return;
  }
  sent.add(form);
  setTimeout(settle, WAIT);
  if (status && leaving && (event.submitter?.name === "decision" || event.submitter?.value === "deny")) {
    status.replaceChildren(leaving.content.cloneNode(true));
  }
});

// Back from the recipient, the page may come out of the browser's memory as it was left.
addEventListener("pageshow", settle);

function settle() {
  sent.clear();
  status?.replaceChildren();
  count();
}

// What would be shared: the data that are needed, and the boxes that are checked.

document.getElementById("decision")?.addEventListener("change", count);

function count() {
  if (!chosen) return;
  const rows = [...document.querySelectorAll(".row")].filter((row) => !row.querySelector("input:not(:checked)"));
  const names = rows.map((row) => row.querySelector(".cluster-name").textContent.trim());
  const counted = chosen.dataset.counted.replace("{count}", rows.length).replace("{clusters}", () => names.join(", "));
  if (chosen.textContent !== counted) chosen.textContent = counted; // what did not change is not read out again
}

// The time left. The device's own clock may be wrong, so what counts is how long it has been since the page came.

const RUNNING_OUT = 2 * 60 * 1000;

const offer = document.getElementById("time-offer");
let ends = endOf(document);
let offered = null;
let isFetchable = true;
let reader = null; // what had the focus when the offer came

if (offer) {
  watchTime();
  setInterval(watchTime, 1000);
  document.addEventListener("visibilitychange", watchTime); // after a sleep, at once
}

function endOf(page) {
  const left = page.getElementById("time-left")?.dataset.secondsLeft;
  return left === undefined ? 0 : Date.now() + Number(left) * 1000;
}

function watchTime() {
  const left = ends - Date.now();
  const wanted = left <= 0 ? "run-out" : left <= RUNNING_OUT ? "running-out" : null;
  if (wanted === offered) return;
  offered = wanted;
  const isRead = offer.contains(document.activeElement);
  if (wanted && !isRead) bringNear(document.activeElement);
  for (const answer of document.querySelectorAll(".clock, #answer")) answer.hidden = left <= 0;
  const content = wanted && document.getElementById(wanted).content.cloneNode(true);
  offer.replaceChildren(...(content ? [content] : []));
  if (wanted && isRead) offer.querySelector("button").focus();
}

// The Tab key reaches the offer next, wherever on the page its reader is; where it is seen does not change.
function bringNear(focused) {
  reader = focused;
  offer.setAttribute("role", "alert"); // empty, it would be one more where a form came back with a problem
  const part = focused.closest(".row, main > *, #decision > *");
  if (part) part.after(offer);
  else document.querySelector("main").prepend(offer);
}

// The form is sent as a click would send it, and this page stays where its reader is. Whatever goes wrong, the
// click is made after all.
async function getMoreTime(form, button) {
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, button)) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const left = page.getElementById("time-left");
    if (!answer.ok || !left) throw new Error("not the form");
    ends = endOf(page);
    document.getElementById("time-left").replaceWith(left);
    watchTime();
    status.textContent = left.textContent;
    if (document.activeElement === document.body) reader?.focus({ preventScroll: true });
  } catch {
    isFetchable = false;
    setTimeout(() => form.requestSubmit(button.isConnected ? button : form.querySelector("[name=extend]")));
  }
}

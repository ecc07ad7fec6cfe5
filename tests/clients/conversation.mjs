// What a driver and its test say to each other: see conversation.py.
import { createInterface } from "node:readline";

export const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, PROVIDER_ID } = process.env;
export const SCOPE = "ACCOUNT_BASIC TRANSACTIONS STATEMENTS";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export function tell(what) {
  process.stdout.write(JSON.stringify(what) + "\n");
}

export function tellTokens({ access_token, refresh_token, scope }) {
  tell({ tokens: { access_token, refresh_token, scope } });
}

/** Sends the customer to `url`; the address at which they come back. */
export async function openInBrowser(url) {
  tell({ open: String(url) });
  return (await lines.next()).value.trim();
}

export function finish() {
  process.stdin.destroy();
}

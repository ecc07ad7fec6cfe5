// simple-oauth2: https://github.com/lelylan/simple-oauth2. It reads no metadata, has no PKCE of its own, and leaves
// state, iss and errors in the answer to its user.
import { AuthorizationCode } from "simple-oauth2";
import { CLIENT_ID, CLIENT_SECRET, ISSUER, PROVIDER_ID, REDIRECT_URI, SCOPE, finish, openInBrowser, tell, tellTokens } from "./conversation.mjs";

const client = new AuthorizationCode({
  client: { id: CLIENT_ID, secret: CLIENT_SECRET },
  auth: {
    tokenHost: ISSUER,
    authorizePath: "/api/v1/authorize",
    tokenPath: "/api/v1/token",
    revokePath: "/api/v1/revoke",
  },
});

const state = crypto.randomUUID();
const url = client.authorizeURL({ redirect_uri: REDIRECT_URI, scope: SCOPE, state, provider_id: PROVIDER_ID });
const answer = new URL(await openInBrowser(url)).searchParams;
if (answer.get("state") !== state || answer.get("iss") !== ISSUER) throw new Error("somebody else's answer");
if (answer.has("error")) {
  tell({ error: answer.get("error") });
} else {
  let held = await client.getToken({ code: answer.get("code"), redirect_uri: REDIRECT_URI });
  tellTokens(held.token);
  for (let i = 0; i < 2; i++) {
    held = await held.refresh();
    tellTokens(held.token);
  }
  await held.revoke("refresh_token");
  tell({ revoked: true });
  await held.refresh().catch((error) => tell({ error: error.data.payload.error }));
}
finish();

// oauth4webapi, the way of FAPI 2.0: private_key_jwt, a pushed request, DPoP. https://github.com/panva/oauth4webapi
import { readFile } from "node:fs/promises";
import * as oauth from "oauth4webapi";
import { CLIENT_ID, ISSUER, PROVIDER_ID, REDIRECT_URI, SCOPE, finish, openInBrowser, tell, tellTokens } from "./conversation.mjs";

const insecure = { [oauth.allowInsecureRequests]: true }; // http, on this machine
const issuer = new URL(ISSUER);
const server = await oauth
  .discoveryRequest(issuer, { algorithm: "oauth2", ...insecure })
  .then((response) => oauth.processDiscoveryResponse(issuer, response));
const client = { client_id: CLIENT_ID };
const [jwk] = JSON.parse(await readFile(new URL("../../registry/demo_fapi_key.json", import.meta.url))).keys;
const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
const own = oauth.PrivateKeyJwt({ key, kid: jwk.kid });
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
const options = { DPoP, ...insecure };

const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const asked = new URLSearchParams({
  redirect_uri: REDIRECT_URI,
  response_type: "code",
  scope: SCOPE,
  state,
  provider_id: PROVIDER_ID,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
});
let response = await oauth.pushedAuthorizationRequest(server, client, own, asked, options);
const { request_uri } = await oauth.processPushedAuthorizationResponse(server, client, response);
const url = new URL(server.authorization_endpoint);
url.search = new URLSearchParams({ client_id: CLIENT_ID, request_uri });

const answer = new URL(await openInBrowser(url));
try {
  const params = oauth.validateAuthResponse(server, client, answer, state);
  response = await oauth.authorizationCodeGrantRequest(server, client, own, params, REDIRECT_URI, verifier, options);
  let tokens = await oauth.processAuthorizationCodeResponse(server, client, response);
  tellTokens(tokens);
  const listed = await oauth.protectedResourceRequest(
    tokens.access_token, "GET", new URL("/api/v1/consents", issuer), undefined, undefined, options,
  );
  if (listed.status !== 200 || tokens.token_type !== "dpop") throw new Error("the token is not bound to the key");
  for (let i = 0; i < 2; i++) {
    response = await oauth.refreshTokenGrantRequest(server, client, own, tokens.refresh_token, options);
    tokens = await oauth.processRefreshTokenResponse(server, client, response);
    tellTokens(tokens);
  }
  response = await oauth.revocationRequest(server, client, own, tokens.refresh_token, insecure);
  await oauth.processRevocationResponse(response);
  tell({ revoked: true });
  response = await oauth.refreshTokenGrantRequest(server, client, own, tokens.refresh_token, options);
  await oauth.processRefreshTokenResponse(server, client, response);
} catch (error) {
  if (!error.error) throw error;
  tell({ error: error.error });
}
finish();

// oauth4webapi: https://github.com/panva/oauth4webapi
import * as oauth from "oauth4webapi";
import { CLIENT_ID, CLIENT_SECRET, ISSUER, PROVIDER_ID, REDIRECT_URI, SCOPE, finish, openInBrowser, tell, tellTokens } from "./conversation.mjs";

const insecure = { [oauth.allowInsecureRequests]: true }; // http, on this machine
const issuer = new URL(ISSUER);
const server = await oauth
  .discoveryRequest(issuer, { algorithm: "oauth2", ...insecure })
  .then((response) => oauth.processDiscoveryResponse(issuer, response));
const client = { client_id: CLIENT_ID };
const own = oauth.ClientSecretBasic(CLIENT_SECRET);

const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const url = new URL(server.authorization_endpoint);
for (const [name, value] of Object.entries({
  client_id: CLIENT_ID,
  redirect_uri: REDIRECT_URI,
  response_type: "code",
  scope: SCOPE,
  state,
  provider_id: PROVIDER_ID,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
})) {
  url.searchParams.set(name, value);
}
const answer = new URL(await openInBrowser(url));
try {
  const params = oauth.validateAuthResponse(server, client, answer, state);
  let response = await oauth.authorizationCodeGrantRequest(server, client, own, params, REDIRECT_URI, verifier, insecure);
  let tokens = await oauth.processAuthorizationCodeResponse(server, client, response);
  tellTokens(tokens);
  for (let i = 0; i < 2; i++) {
    response = await oauth.refreshTokenGrantRequest(server, client, own, tokens.refresh_token, insecure);
    tokens = await oauth.processRefreshTokenResponse(server, client, response);
    tellTokens(tokens);
  }
  response = await oauth.revocationRequest(server, client, own, tokens.refresh_token, insecure);
  await oauth.processRevocationResponse(response);
  tell({ revoked: true });
  response = await oauth.refreshTokenGrantRequest(server, client, own, tokens.refresh_token, insecure);
  await oauth.processRefreshTokenResponse(server, client, response);
} catch (error) {
  if (!error.error) throw error;
  tell({ error: error.error });
}
finish();

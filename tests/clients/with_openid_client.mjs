// openid-client: https://github.com/panva/openid-client
import * as client from "openid-client";
import { CLIENT_ID, CLIENT_SECRET, ISSUER, PROVIDER_ID, REDIRECT_URI, SCOPE, finish, openInBrowser, tell, tellTokens } from "./conversation.mjs";

const config = await client.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET, client.ClientSecretBasic(CLIENT_SECRET), {
  algorithm: "oauth2", // no OpenID provider
  execute: [client.allowInsecureRequests], // http, on this machine
});

const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: REDIRECT_URI,
  scope: SCOPE,
  state: expectedState,
  provider_id: PROVIDER_ID,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
});
const answer = new URL(await openInBrowser(url));
try {
  let tokens = await client.authorizationCodeGrant(config, answer, { pkceCodeVerifier, expectedState });
  tellTokens(tokens);
  for (let i = 0; i < 2; i++) {
    tokens = await client.refreshTokenGrant(config, tokens.refresh_token);
    tellTokens(tokens);
  }
  await client.tokenRevocation(config, tokens.refresh_token);
  tell({ revoked: true });
  await client.refreshTokenGrant(config, tokens.refresh_token);
} catch (error) {
  if (!error.error) throw error;
  tell({ error: error.error });
}
finish();

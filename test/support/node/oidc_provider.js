// The OpenID Connect provider "oidc-provider", for tests.
//
//   node oidc_provider.js '{"port": 8080, "clients": [...], "lifetime": 60}'
//
// Whoever comes is asked for a name by a form that sends itself where scripts run. Its issuer is http://localhost:PORT.
// Prints "port N" when it serves, and "token GRANT STATUS" for each answer of the token endpoint.
"use strict";
const path = require("path");
const { pathToFileURL } = require("url");

const { port, clients, lifetime } = JSON.parse(process.argv[2]);
const issuer = `http://localhost:${port}`;

const configuration = {
  clients,
  cookies: { keys: ["of this test"] },
  claims: { openid: ["sub", "groups"] },
  conformIdTokenClaims: false,
  features: {
    devInteractions: { enabled: false },
    rpInitiatedLogout: {
      logoutSource: (ctx, form) => {
        ctx.body = page(form + '<input type="hidden" form="op.logoutForm" name="logout" value="yes">');
      },
    },
  },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, groups: ["staff", "night shift"] }) }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: () => true,
  pkce: { required: () => true },
  rotateRefreshToken: true,
  scopes: ["openid", "offline_access"],
  ttl: { AccessToken: lifetime, IdToken: 3600, Interaction: 600, Grant: 3600, Session: 3600, RefreshToken: 3600 },
};

const page = (form) => `<!doctype html><title>provider</title>${form}<script>document.forms[0].submit()</script>`;

const readBody = (request) =>
  new Promise((resolve) => {
    let text = "";
    request.on("data", (bytes) => (text += bytes));
    request.on("end", () => resolve(new URLSearchParams(text)));
  });

async function grantOf(provider, details) {
  const grant = new provider.Grant({ accountId: details.session.accountId, clientId: details.params.client_id });
  grant.addOIDCScope(details.params.scope);
  return grant.save();
}

async function interact(provider, ctx) {
  const details = await provider.interactionDetails(ctx.req, ctx.res);
  if (details.prompt.name === "consent") {
    const result = { consent: { grantId: await grantOf(provider, details) } };
    return provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: true });
  }
  if (ctx.method === "GET") {
    ctx.type = "html";
    ctx.body = page('<form method="post"><input name="login" value="ann"></form>');
    return undefined;
  }
  const form = await readBody(ctx.req);
  const result =
    form.get("login") === "nobody"
      ? { error: "access_denied", error_description: "<b>nobody</b> may come in" }
      : { login: { accountId: form.get("login") } };
  return provider.interactionFinished(ctx.req, ctx.res, result);
}

async function main() {
  const module = pathToFileURL(path.join(process.env.NODE_PATH, "oidc-provider/lib/index.js"));
  const { default: Provider } = await import(module);
  const provider = new Provider(issuer, configuration);
  provider.use(async (ctx, next) => {
    if (ctx.path.startsWith("/interaction/")) {
      await interact(provider, ctx);
      if (ctx.method === "POST" || ctx.body === undefined) ctx.respond = false;
      return;
    }
    await next();
    if (ctx.path === "/token") console.log(`token ${ctx.oidc?.params?.grant_type} ${ctx.status}`);
  });
  provider.listen(port, "127.0.0.1", () => console.log(`port ${port}`));
}

main();

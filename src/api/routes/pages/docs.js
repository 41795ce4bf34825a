"use strict";

const ui = SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  // A reload of the page keeps the tokens.
  persistAuthorization: true,
  // Without a request to another host.
  validatorUrl: "none",
});

const form = document.getElementById("login");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const output = form.querySelector("output");
  try {
    const response = await fetch("../auth/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(Object.fromEntries(new FormData(form))),
    });
    const body = await response.json();
    if (!response.ok) {
      output.textContent = typeof body.message === "string" ? body.message : body.error;
      return;
    }
    authorize("accessToken", body.access_token);
    authorize("refreshToken", body.refresh_token);
    output.textContent = "Logged in.";
  } catch {
    output.textContent = "The server did not respond.";
  }
});

function authorize(name, value) {
  const schema = ui.specSelectors.securityDefinitions().get(name);
  ui.authActions.authorizeWithPersistOption({ [name]: { name, schema, value } });
}

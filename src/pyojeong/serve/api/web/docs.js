// Swagger UI on this server's own OpenAPI; nothing is loaded from elsewhere.
window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});

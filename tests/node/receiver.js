// A receiver of callbacks and subscriptions as an integrator would write it: Express and the official library.
// Arguments: the port and the secret. GET / lists what was accepted.
import express from "express";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

const [port, secret] = process.argv.slice(2);
const webhook = new Webhook(secret);
const accepted = [];
const app = express();

app.get("/", (_request, response) => response.json(accepted));

app.post("/hook", express.raw({ type: "application/json", limit: "5mb" }), (request, response) => {
  let event;
  try {
    event = webhook.verify(request.body, request.headers);
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    return response.status(400).json({ error: error.message });
  }
  accepted.push({ id: request.headers["webhook-id"], event });
  response.status(204).end();
});

app.listen(Number(port), "127.0.0.1");

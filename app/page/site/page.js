// The page: one account, and the sections that show what it can do.

import { Account } from "./account.js";
import { startCalls } from "./calls.js";
import { warn } from "./dom.js";
import { startFeed } from "./feed.js";
import { startQueries } from "./queries.js";
import { startServer } from "./server.js";
import { startSignIn } from "./signin.js";
import { startToken } from "./token.js";

const account = new Account();
const identity = startServer().catch((error) => {
  warn(error);
  return {};
});
startSignIn(account);
startToken(account);
startCalls(account);
startQueries(account);
startFeed(account, identity);

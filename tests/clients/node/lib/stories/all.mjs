// What each JavaScript snippet of the documents must do, whoever plays it, Node.js or a browser: name, how the server is
// started, what happens.

import { stories as analysis } from './analysis.mjs';
import { stories as channels } from './channels.mjs';
import { stories as chat } from './chat.mjs';
import { stories as events } from './events.mjs';
import { stories as sessions } from './sessions.mjs';
import { stories as stream } from './stream.mjs';

export const stories = [...stream, ...events, ...channels, ...sessions, ...analysis, ...chat];
export { tell } from './tell.mjs';

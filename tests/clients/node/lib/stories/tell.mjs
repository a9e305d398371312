// How a story is told, and what stories have in common.

import { Server } from '../server.mjs';

/** The next line that is none of those that may come or not. */
export async function next(client, ...optional) {
  let line;
  do line = await client.next(); while (optional.includes(line[1]));
  return line;
}

/** Runs a story, and ends every server it has started. */
export async function tell(start, run, play) {
  const servers = [await start()];
  const restart = async () => {
    servers.push(await Server.start('', servers[0].url.replace('http://', '')));
    return servers.at(-1);
  };
  try {
    await run(servers[0], play, restart);
  } finally {
    for (const server of servers) await server.stop();
  }
}

import { connect } from 'node:net';

/** One command, as text, to a Redis that asks for no password. */
export async function tellRedis(url: string, command: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  try {
    const answer = new Promise<string>((resolve, reject) => {
      socket.once('data', (data) => resolve(String(data)));
      socket.once('error', reject);
    });
    socket.write(`${command}\r\n`);
    return await answer;
  } finally {
    socket.destroy();
  }
}

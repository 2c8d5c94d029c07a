import { Command } from 'ioredis';
import type { RedisConnection } from './connect.ts';

export type CommandArguments = readonly (string | number | Buffer | undefined)[];

const nothing: Command['args'] = [];
const nobody = (): void => {};
const over = Promise.resolve();

/**
 * Sends a command that carries much. One of ioredis' own stays in memory until the next major collection: V8 makes its
 * `reject`, a function literal assigned to a property, among the old objects, and that holds the command, which holds its
 * arguments and its reply (docs/adr/0024). This one is given a promise of ours, and has nothing any more when that is
 * settled.
 */
export async function sendLarge(
  connection: RedisConnection,
  name: string,
  args: CommandArguments,
): Promise<unknown> {
  const command = new Command(name, args as Command['args'], { replyEncoding: 'utf8' });
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  // Not literals on the right of the assignments.
  const answered = (reply: Buffer): void => {
    command.isResolved = true;
    command.isSettled = true;
    resolve(command.transformReply(reply));
  };
  const failed = (error: Error): void => {
    command.isSettled = true;
    reject(error);
  };
  command.promise = promise;
  command.resolve = answered;
  command.reject = failed;
  try {
    return await connection.sendCommand(command);
  } finally {
    command.args = nothing;
    command.promise = over;
    command.resolve = nobody;
    command.reject = nobody;
  }
}

import { defineScript, gatherMoves, type RedisConnection, type Values } from '../redis/index.ts';

/** Those that BullMQ calls for every job. */
const oncePerJob = /^(?:addStandardJob|addPrioritizedJob|moveToFinished):/;
/** One is some fifty microseconds of Redis' time. */
const MOST_CALLS = 32;

/**
 * BullMQ's scripts deliver and finish accepted work. Without this flag Redis refuses them at its memory limit: locks could not be
 * renewed, and due deliveries not added to their queues. See docs/adr/0028.
 */
const ALLOW_OOM = '#!lua flags=allow-oom\n';

type Definition = Parameters<RedisConnection['defineCommand']>[1];
type Command = (this: unknown, ...args: unknown[]) => Promise<unknown>;

const gathering = new WeakSet<RedisConnection>();

/**
 * Has the calls of these scripts that one turn of the event loop makes for a queue leave as one: most of what each costs
 * is the call. BullMQ defines its scripts on the connection that it is given, as commands; each is run as it is,
 * once for every call, and what it returns goes to its caller. In a pipeline they stay single.
 */
export function gatherQueueScripts(connection: RedisConnection): void {
  if (gathering.has(connection)) return;
  gathering.add(connection);
  const commands = connection as unknown as Record<string, Command>;
  const define = connection.defineCommand.bind(connection);
  connection.defineCommand = (name: string, definition: Definition): void => {
    const { lua, numberOfKeys } = definition;
    // One that declares flags of its own in a first line could not stand inside another.
    const isPlain = !lua.startsWith('#!');
    define(name, isPlain ? { ...definition, lua: `${ALLOW_OOM}${lua}` } : definition);
    if (!oncePerJob.test(name) || numberOfKeys === undefined || !isPlain) return;
    const single = commands[name] as Command;
    const gathered = defineScript(connection, forEachCall(lua, numberOfKeys));
    const make = gatherMoves<['made', unknown]>({
      name,
      call: async (keys, args) => gathered(keys, args),
      shared: () => ({ keys: [], args: [] }),
      mostMoves: MOST_CALLS,
    });
    commands[name] = async function (...args) {
      const [given] = args;
      if (this !== connection || !Array.isArray(given)) return single.apply(this, args);
      const values = given as Values;
      const keys = values.slice(0, numberOfKeys) as string[];
      const rest = values.slice(numberOfKeys);
      const [queue = ''] = keys;
      const reply = await make(queue, { keys, args: [rest.length, ...rest], length: 500 });
      return reply[1] ?? null;
    };
  };
}

/** The script as a function over its own KEYS and ARGV, and a call of it for each stretch of them. */
function forEachCall(lua: string, numberOfKeys: number): string {
  return `${ALLOW_OOM}--[[ Calls of a script, one after the other.

KEYS  ${numberOfKeys} for each call
ARGV  for each call: how many values follow, and these

Returns  for each call { 'made', what the script returns } or { 'broken', message }, which leaves the others what they are ]]
local function script(KEYS, ARGV)
${lua}
end

local function slice(values, from, count)
  local part = {}
  for i = 1, count do part[i] = values[from + i - 1] end
  return part
end

local replies = {}
local key, arg = 1, 1
while arg <= #ARGV do
  local count = tonumber(ARGV[arg])
  local ok, reply = pcall(script, slice(KEYS, key, ${numberOfKeys}), slice(ARGV, arg + 1, count))
  if ok then
    replies[#replies + 1] = { 'made', reply }
  else
    replies[#replies + 1] = { 'broken', type(reply) == 'table' and reply.err or tostring(reply) }
  end
  key, arg = key + ${numberOfKeys}, arg + count + 1
end
return replies`;
}

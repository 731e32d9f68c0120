/** `davit demo`: a WebDAV server and two instances on sample workspaces, to see what replication looks like. */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type CommandContext, log } from '../command.ts'
import { print } from '../output.ts'
import { type ServedInstance, serveInstance } from '../serve-instance.ts'
import { listenForEnd } from '../until-signal.ts'

const webdavPort = 7400
const instances = [
  { name: 'anna', port: 7411 },
  { name: 'ben', port: 7412 },
] as const

/** What Anna's workspace begins with. Ben's begins empty and gets it through the server. */
const sample: Readonly<Record<string, string>> = {
  'README.md':
    '# Our notes\n\nEverything in this folder is replicated. Change a file and look at the other one.\n',
  'notes/plan.md': '---\nstatus: active\n---\n# Plan\n\n- write it down\n- let the others see it\n',
  'notes/ideas.md': '# Ideas\n\nOne per line.\n',
  'recipes/bread.md': '# Bread\n\n500 g flour, 350 g water, 10 g salt, a little yeast, a day.\n',
}

async function writeSample(workspace: string): Promise<void> {
  for (const [path, text] of Object.entries(sample)) {
    const target = join(workspace, path)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, text, { flag: 'wx' })
  }
}

function explain(context: CommandContext, url: string, served: readonly Entry[]): void {
  const { io } = context
  if (context.json) {
    const list = served.map(({ name, workspace, state, served: { url } }) => ({
      name,
      url,
      workspace,
      token: join(state, 'token'),
    }))
    print(io, JSON.stringify({ webdav: url, instances: list }))
    return
  }
  print(io, `davit webdav ready ${url}`)
  for (const { name, workspace, served: each } of served) {
    print(io, `davit ready ${each.url} version=${each.instance.status().localVersion}  ${name}: ${workspace}`)
  }
  const [anna, ben] = served as [Entry, Entry]
  const authorization = (entry: Entry) => `-H "Authorization: Bearer $(cat '${join(entry.state, 'token')}')"`
  print(
    io,
    `
Try:
  echo 'hello' > '${join(anna.workspace, 'hello.md')}' && sleep 2 && cat '${join(ben.workspace, 'hello.md')}'
  curl ${authorization(anna)} ${anna.served.url}/sync/status
  curl -N ${authorization(ben)} ${ben.served.url}/sse
Change the same line of a file in both workspaces at once, then:
  curl ${authorization(anna)} ${anna.served.url}/sync/conflicts
Ctrl-C stops everything; the next start goes on where this one ended.`,
  )
}

interface Entry {
  readonly name: string
  readonly workspace: string
  readonly state: string
  readonly served: ServedInstance
}

/** Closes one after the other; one that fails keeps none of the others open. */
async function closeAll([first, ...rest]: readonly { close(): Promise<void> }[]): Promise<void> {
  if (first === undefined) return
  try {
    await first.close()
  } finally {
    await closeAll(rest)
  }
}

export async function demo(
  context: CommandContext,
  options: { readonly directory: string },
): Promise<number> {
  const { io, engine } = context
  const folder = resolve(io.cwd, options.directory)
  const root = join(folder, 'webdav')
  const ending = listenForEnd(io)
  const open: { close(): Promise<void> }[] = []
  try {
    await mkdir(root, { recursive: true })
    const serveFolder = (port: number) => engine.startWebdavServer({ root, port, log: log(context) })
    // Where the usual port is taken any other will do: a store is known by what is in it, not by its address.
    const server = await serveFolder(webdavPort).catch(() => serveFolder(0))
    open.push(server)

    const entries: Entry[] = []
    for (const { name, port } of instances) {
      const workspace = join(folder, name)
      const isNew = !existsSync(workspace)
      await mkdir(workspace, { recursive: true })
      if (isNew && name === 'anna') await writeSample(workspace)
      // The environment is left out: what it says is meant for the user's own workspace.
      const configuration = await engine.loadConfiguration({
        options: {
          workspace,
          instance: name,
          remote: `${server.url}/team`,
          host: '127.0.0.1',
          port: '0',
          poll: '1s',
        },
        environment: {},
        cwd: workspace,
      })
      const served = await serveInstance(context, configuration, { create: true, preferredPort: port })
      open.push(served)
      entries.push({ name, workspace, state: configuration.state, served })
    }
    if (!ending.isAsked()) explain(context, server.url, entries)
    await ending.asked
    return 0
  } finally {
    ending.forget()
    // Instances first: they still need the server to give back what they hold.
    await closeAll(open.reverse())
  }
}

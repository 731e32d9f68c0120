/** What the facts of this machine mean for the person who runs an instance on it. Pure. */
import { freeBytesNoted } from '../model/limits.ts'
import { type Finding, size } from '../remote/probe/finding.ts'
import type { FolderFacts, LocalFacts } from './local-facts.ts'

export function judgeLocal(facts: LocalFacts): Finding[] {
  return [
    judgeWorkspace(facts.workspace),
    judgeState(facts.state),
    ...judgeSpace([facts.workspace, facts.state]),
    ...judgeNetwork(facts),
    ...judgeSecrets(facts),
    ...judgeWatch(facts.watch),
    ...judgeIndex(facts.index),
    judgeVersions(facts),
  ]
}

const sayings: Readonly<Record<Exclude<FolderFacts['state'], 'writable' | 'missing'>, string>> = {
  'read-only': 'this user may not write in it',
  unreadable: 'this user may not read it',
  'no-folder': 'it is not a folder',
}

function judgeWorkspace({ path, state }: FolderFacts): Finding {
  const id = 'workspace'
  if (state === 'writable') return { id, level: 'good', summary: `${path} can be read and written` }
  if (state === 'missing') {
    return {
      id,
      level: 'missing',
      summary: `${path} is not there`,
      advice: 'Mount its disk, or correct the path. `--create` makes a new workspace.',
    }
  }
  return {
    id,
    level: 'missing',
    summary: `${path}: ${sayings[state]}`,
    advice: 'Run Davit as the user whose folder it is, or give this user the right to read and write.',
  }
}

function judgeState({ path, state }: FolderFacts): Finding {
  const id = 'state'
  if (state === 'writable') return { id, level: 'good', summary: `${path} can be written` }
  if (state === 'missing') {
    return { id, level: 'note', summary: `${path} is not there yet`, advice: '`davit init` makes it.' }
  }
  return {
    id,
    level: 'missing',
    summary: `${path}: ${sayings[state]}`,
    advice: 'Give this user the right to write there, or name another place with `--state`.',
  }
}

function judgeSpace(folders: readonly FolderFacts[]): Finding[] {
  const known = folders.map(({ freeBytes }) => freeBytes).filter((bytes) => bytes !== null)
  if (known.length === 0) return []
  const least = Math.min(...known)
  return [
    least < freeBytesNoted
      ? {
          id: 'space',
          level: 'but',
          summary: `only ${size(least)} are free: a file needs its own size once more while it is replaced`,
          advice: 'Make room, or move the workspace to a larger disk.',
        }
      : { id: 'space', level: 'good', summary: `${size(least)} are free` },
  ]
}

function judgeNetwork({ workspace, state, watch }: LocalFacts): Finding[] {
  const findings: Finding[] = []
  if (state.network !== null) {
    findings.push({
      id: 'state-network',
      level: 'but',
      summary: `the state folder is on ${state.network}: works, but an index on a network disk is slow and can be damaged when the connection breaks`,
      advice: 'Put the state folder on a disk of this machine (`--state`).',
    })
  }
  if (workspace.network !== null && watch.mode === 'native') {
    findings.push({
      id: 'workspace-network',
      level: 'but',
      summary: `the workspace is on ${workspace.network}: works, but changes that other machines make there are noticed by the next full scan only`,
      advice: 'Set `watch.mode: polling`.',
    })
  }
  return findings
}

function judgeSecrets({ openSecrets, state }: LocalFacts): Finding[] {
  if (openSecrets.length === 0) return []
  return [
    {
      id: 'secrets',
      level: 'but',
      summary: `others on this machine can read ${openSecrets.join(' and ')} in ${state.path}`,
      advice: `chmod 600 ${openSecrets.map((name) => `${state.path}/${name}`).join(' ')}`,
    },
  ]
}

function judgeWatch({ mode, refused, limit, folders }: LocalFacts['watch']): Finding[] {
  const id = 'watch'
  if (mode !== 'native') return [{ id, level: 'note', summary: `watching is set to ${mode}` }]
  if (refused !== null) {
    return [
      {
        id,
        level: 'but',
        summary: `the system gives no watch (${refused}): works, but the workspace is polled, which is slower`,
        advice:
          'Raise fs.inotify.max_user_watches and fs.inotify.max_user_instances (sysctl), or stop programs that watch much.',
      },
    ]
  }
  if (limit === null || folders === null) return []
  if (folders > limit) {
    return [
      {
        id,
        level: 'but',
        summary: `the workspace has ${folders} folders and this user may watch ${limit}: works, but the workspace is polled, which is slower`,
        advice: `sysctl fs.inotify.max_user_watches=${2 ** Math.ceil(Math.log2(2 * folders))}`,
      },
    ]
  }
  return [{ id, level: 'good', summary: `${folders} folders to watch, ${limit} may be watched` }]
}

function judgeIndex(index: LocalFacts['index']): Finding[] {
  if (index === null) return []
  if ('failure' in index) {
    return [
      {
        id: 'index',
        level: 'missing',
        summary: `the index cannot be read: ${index.failure}`,
        advice: 'Keep a copy of metadata.db, then join anew as docs/troubleshooting.md says.',
      },
    ]
  }
  const { check, forks, lastForkAt, localFiles, version } = index
  const at = version === null ? 'no store joined yet' : `version ${version}`
  return [
    check === 'ok'
      ? { id: 'index', level: 'good', summary: `${localFiles} files, ${at}` }
      : {
          id: 'index',
          level: 'missing',
          summary: `the index is damaged: ${check}`,
          advice: 'Keep a copy of metadata.db, then join anew as docs/troubleshooting.md says.',
        },
    forks === 0
      ? { id: 'forks', level: 'good', summary: 'no fork of the store was met' }
      : {
          id: 'forks',
          level: 'but',
          summary: `${forks} ${forks === 1 ? 'fork' : 'forks'} of the store met and healed, the last one ${lastForkAt}: this server's MOVE is not a rename, or more than one server answers`,
          advice: 'Nothing was lost. Another server saves the work that is done twice.',
        },
  ]
}

function judgeVersions({ versions, index }: LocalFacts): Finding {
  const sqlite = index !== null && 'sqlite' in index ? `, SQLite ${index.sqlite}` : ''
  return {
    id: 'versions',
    level: 'note',
    summary: `davit ${versions.davit}, Node.js ${versions.node}${sqlite}, ${versions.platform}`,
  }
}

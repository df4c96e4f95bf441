// Camunda's SDK for Node: its gRPC worker; `tuned` looks every 10 ms whether to poll where its default is 300 ms.
import { Camunda8 } from '@camunda8/sdk'
import { openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const [gateway, , type, slotsText, handlerText, mode, leaseText, effects] = process.argv.slice(2)
const slots = Number(slotsText)
const handlerMillis = Number(handlerText)
const timeout = Number(leaseText)
const log = effects === '-' ? undefined : openSync(effects, 'a')
let atOnce = 0
let most = 0
let handled = 0

async function work(job) {
  most = Math.max(most, ++atOnce)
  if (handlerMillis) await sleep(handlerMillis)
  if (log !== undefined) writeSync(log, `${job.key}\n`)
  atOnce--
  handled++
  return job.complete()
}

const zeebe = new Camunda8({
  CAMUNDA_AUTH_STRATEGY: 'NONE',
  CAMUNDA_OAUTH_DISABLED: true,
  ZEEBE_GRPC_ADDRESS: `grpc://${gateway}`,
  zeebeGrpcSettings: { ZEEBE_CLIENT_LOG_LEVEL: 'NONE' },
}).getZeebeGrpcApiClient()

if (mode === 'stream') {
  await zeebe.streamJobs({ type, worker: 'node', timeout, taskHandler: work, pollMaxJobsToActivate: slots })
} else {
  const tuning = mode === 'tuned' ? { pollInterval: 10 } : {}
  zeebe.createWorker({ taskType: type, taskHandler: work, maxJobsToActivate: slots, timeout, ...tuning })
}
console.log(JSON.stringify({ event: 'ready' }))

process.stdin.resume()
process.stdin.on('end', () => {
  process.stdout.write(`${JSON.stringify({ event: 'end', handled, most_at_once: most })}\n`, () => process.exit(0))
})

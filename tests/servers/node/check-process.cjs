// Reads a BPMN file from stdin; prints what bpmn-moddle cannot read of it, and what bpmnlint's recommended rules say.
// node check-process.cjs FOLDER, where FOLDER holds node_modules
const { createRequire } = require('node:module')
const { join } = require('node:path')
const { readFileSync } = require('node:fs')
const { pathToFileURL } = require('node:url')

const installed = createRequire(join(process.argv[2], 'here'))

async function check (xml) {
  const { BpmnModdle } = await import(pathToFileURL(installed.resolve('bpmn-moddle')))
  const { Linter } = installed('bpmnlint')
  const NodeResolver = installed('bpmnlint/lib/resolver/node-resolver')
  const moddle = new BpmnModdle({ zeebe: installed('zeebe-bpmn-moddle/resources/zeebe.json') })
  const { rootElement, warnings } = await moddle.fromXML(xml)
  const linter = new Linter({ resolver: new NodeResolver({ require: installed }), config: { extends: 'bpmnlint:recommended' } })
  const reports = await linter.lint(rootElement)
  const problems = Object.entries(reports).flatMap(([rule, found]) => found.map(it => `${rule}: ${it.id}: ${it.message}`))
  return [...warnings.map(it => `unreadable: ${it.message}`), ...problems]
}

check(readFileSync(0, 'utf8')).then(problems => process.stdout.write(JSON.stringify(problems)))

// Draws BPMN files as SVG with bpmn-js, the library that Camunda Modeler draws with.
// node render.mjs FOLDER < {"name": "<xml>", ...} > {"name": "<svg ...>", ...}, where FOLDER holds node_modules
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const folder = process.argv[2]
const installed = createRequire(join(folder, 'here'))
const load = async name => (await import(pathToFileURL(installed.resolve(name)))).default
const chromium = await load('@sparticuz/chromium')
const puppeteer = await load('puppeteer-core')

// Arimo is as wide as Arial, letter by letter: lines break in the same places wherever the pictures are drawn.
const face = (weight, file) => {
  const font = readFileSync(join(folder, 'node_modules/@fontsource/arimo/files', file)).toString('base64')
  return `@font-face { font-family: Arial; font-weight: ${weight}; src: url(data:font/woff2;base64,${font}) }`
}
const fonts = face(400, 'arimo-latin-400-normal.woff2') + face(700, 'arimo-latin-700-normal.woff2')

const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(), args: [...chromium.args, '--no-sandbox'], headless: 'shell'
})
try {
  const page = await browser.newPage()
  await page.setContent(`<style>${fonts}</style><p style="font-family: Arial">a<b>b</b></p><div id="canvas" style="width: 1600px; height: 900px"></div>`)
  await page.addScriptTag({ path: join(folder, 'node_modules/bpmn-js/dist/bpmn-viewer.production.min.js') })
  await page.evaluate(() => document.fonts.ready.then(() => undefined))
  const drawn = {}
  for (const [name, xml] of Object.entries(JSON.parse(readFileSync(0, 'utf8')))) {
    drawn[name] = await page.evaluate(async xml => {
      document.querySelector('#canvas').innerHTML = ''
      const viewer = new BpmnJS({ container: '#canvas' })
      const { warnings } = await viewer.importXML(xml)
      if (warnings.length) throw new Error(warnings.map(it => it.message).join('; '))
      // Centred text stays in its place where a reader's font is wider.
      for (const line of document.querySelectorAll('#canvas text tspan')) {
        line.setAttribute('x', Number(line.getAttribute('x')) + line.getComputedTextLength() / 2)
        line.setAttribute('text-anchor', 'middle')
      }
      const { svg } = await viewer.saveSVG()
      viewer.destroy()
      return svg
    }, xml)
  }
  process.stdout.write(JSON.stringify(drawn))
} finally {
  await browser.close()
}

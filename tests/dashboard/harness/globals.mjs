// Grafana's libraries look at two globals of a browser when they are loaded; in Node these stand for them.
globalThis.window ??= { performance };
globalThis.navigator ??= { language: 'en-US', languages: ['en-US'] };

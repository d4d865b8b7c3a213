// What many write first: Node.js with the package ws, a map from names to sets of sockets, and a POST that sends to each of them. It
// keeps nothing, and serves one process.
//
//     node node-ws.js PORT
const http = require("http");
const { WebSocketServer } = require("/usr/share/nodejs/ws");

const listeners = new Map();
const nameIn = (url) => url.slice(url.lastIndexOf("/") + 1);

const server = http.createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
        const message = Buffer.concat(parts);
        for (const socket of listeners.get(nameIn(request.url)) ?? []) socket.send(message, { binary: false });
        response.end("ok");
    });
});
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on("connection", (socket, request) => {
    const name = nameIn(request.url);
    if (!listeners.has(name)) listeners.set(name, new Set());
    listeners.get(name).add(socket);
    socket.on("close", () => {
        listeners.get(name)?.delete(socket);
        if (listeners.get(name)?.size === 0) listeners.delete(name);
    });
});
server.listen(Number(process.argv[2]), "127.0.0.1", 4096);

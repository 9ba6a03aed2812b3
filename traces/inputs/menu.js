// SPDX-License-Identifier: MIT
// The display of a small device: settings as JSON, pages from templates, an
// undo list, a search with regular expressions.

var state = 7;
function random(n) {
    state = (state * 16807) % 2147483647;
    return state % n;
}

var settings = {
    network: { name: "workshop", address: [192, 168, 7, 20], channels: [1, 6, 11] },
    display: { contrast: 40, language: "en", pages: ["status", "alarms", "history"] },
    alarms: []
};

var templates = {
    status: "== {network.name} ==\nchannel {network.channels}\naddress {network.address}\n",
    alarms: "{alarms.length} alarms, contrast {display.contrast}\n",
    history: "pages: {display.pages}\nlanguage: {display.language}\n"
};

function look(path) {
    return path.split(".").reduce(function (at, key) { return at[key]; }, settings);
}

function render(page) {
    return templates[page].replace(/\{([a-z.]+)\}/g, function (all, path) {
        var value = look(path);
        return Array.isArray(value) ? value.join(" ") : String(value);
    });
}

var undo = [];
function change(action) {
    undo.push(JSON.stringify(settings));
    if (undo.length > 4) {
        undo.shift();
    }
    action(settings);
}

var actions = [
    function (s) { s.display.contrast = random(100); },
    function (s) { s.network.channels.push(random(13) + 1); },
    function (s) { s.network.channels = s.network.channels.slice(-3); },
    function (s) { s.alarms.push({ at: random(100000), text: "tank " + random(9) + " low", seen: false }); },
    function (s) { s.alarms = s.alarms.filter(function (a) { return a.at % 3 !== 0; }); },
    function (s) { s.network.name = "workshop " + random(1000); }
];

var shown = 0;
for (var i = 0; i < 110; i++) {
    change(actions[random(actions.length)]);
    if (i % 8 === 0) {
        Duktape.gc(); // closures refer to themselves: counting references does not free them
    }
    if (random(12) === 0) {
        settings = JSON.parse(undo.pop());
    }
    var page = render(settings.display.pages[random(3)]);
    shown += page.split("\n").length;
    if (settings.alarms.some(function (a) { return /tank [3-5]/.test(a.text); })) {
        settings.alarms.forEach(function (a) { a.seen = true; });
    }
}
print(shown, settings.alarms.length, settings.network.name);

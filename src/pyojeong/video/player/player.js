// The player of a clip's report: the clip beside its timelines, and edits of its people.
(() => {
  const box = document.getElementById("player");
  if (!box) return;
  const data = JSON.parse(document.getElementById("player-data").textContent);
  const $ = (name) => box.querySelector(`[data-part="${name}"]`);
  const say = (key, places = {}) => data.texts[`player.${key}`].replace(/\{(\w+)\}/g, (whole, name) => places[name] ?? whole);
  const labelled = (name) => data.texts[`label.${name}`] ?? name;
  const video = $("video"), SVG = "http://www.w3.org/2000/svg";
  const clock = (s) => {
    const tenths = Math.round(s * 10), m = Math.floor(tenths / 600), rest = (tenths % 600) / 10;
    return `${m}:${rest < 10 ? "0" : ""}${rest.toFixed(1)}`;
  };
  const charts = [...document.querySelectorAll("svg.wide, svg.slim")].map((svg) => {
    const [width, height] = svg.getAttribute("viewBox").split(" ").slice(2).map(Number);
    const [left, right] = data.edges[width] ?? [0, width];
    const line = document.createElementNS(SVG, "line");
    line.setAttribute("class", "playhead");
    line.setAttribute("y2", height);
    svg.append(line);
    return { svg, width, height, left, right, line, person: svg.closest(".chart")?.dataset.person };
  });
  const x = (chart, time) => chart.left
    + ((chart.right - chart.left) * (time - data.start_s)) / (data.end_s - data.start_s);
  const timeAt = (chart, event) => {
    const place = chart.svg.getBoundingClientRect();
    const at = ((event.clientX - place.left) / place.width) * chart.width;
    const share = (at - chart.left) / (chart.right - chart.left);
    return data.start_s + Math.min(Math.max(share, 0), 1) * (data.end_s - data.start_s);
  };

  // ---- the clip ----
  function show(time) {
    $("time").textContent = clock(time);
    for (const chart of charts) {
      chart.line.setAttribute("x1", x(chart, time));
      chart.line.setAttribute("x2", x(chart, time));
    }
  }
  function jump(time) {
    if (video.readyState) video.currentTime = time + data.offset_s;
    show(time);
    now = time;
  }
  let now = data.start_s;
  video.addEventListener("timeupdate", () => { now = video.currentTime - data.offset_s; show(now); });
  video.addEventListener("loadedmetadata", () => { video.hidden = false; $("missing").hidden = true; jump(now); });
  video.addEventListener("error", () => { video.hidden = true; $("missing").hidden = false; });
  $("file").addEventListener("change", () => {
    if (video.src.startsWith("blob:")) URL.revokeObjectURL(video.src);
    if ($("file").files[0]) video.src = URL.createObjectURL($("file").files[0]);
  });
  if (data.clip) video.src = data.clip.split("/").map(encodeURIComponent).join("/");
  else $("missing").hidden = false;
  show(now);

  // ---- charts: click to jump, hover for values, series on and off ----
  const hint = document.createElement("div");
  hint.className = "player-hint";
  hint.hidden = true;
  document.body.append(hint);
  for (const chart of charts) {
    chart.svg.addEventListener("click", (event) => jump(timeAt(chart, event)));
    chart.svg.addEventListener("pointerleave", () => { hint.hidden = true; });
    chart.svg.addEventListener("pointermove", (event) => {
      const time = timeAt(chart, event), person = data.people[chart.person];
      const lines = [clock(time)];
      if (person) {
        const bin = Math.round((time - person.first_s) / person.bin_s), scores = person.scores[bin];
        if (scores) data.labels.forEach((name, k) => lines.push(`${labelled(name)} ${say("percent", { n: Math.round(100 * scores[k]) })}`));
        else lines.push(say("nobody"));
      }
      hint.replaceChildren(...lines.map((text) => {
        const line = document.createElement("div");
        line.textContent = text;
        return line;
      }));
      hint.hidden = false;
      hint.style.left = `${Math.min(event.pageX + 14, document.documentElement.clientWidth - 130)}px`;
      hint.style.top = `${event.pageY + 14}px`;
    });
  }
  for (const name of data.labels) {
    const label = document.createElement("label"), tick = document.createElement("input");
    tick.type = "checkbox";
    tick.checked = true;
    tick.addEventListener("change", () => {
      for (const path of document.querySelectorAll(`svg [data-series="${name}"]`)) {
        path.style.visibility = tick.checked ? "" : "hidden";
      }
    });
    label.append(tick, ` ${labelled(name)}`);
    $("series").append(label);
  }
  for (const cell of document.querySelectorAll("[data-seconds]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    button.addEventListener("click", () => {
      jump(Number(cell.dataset.seconds));
      box.scrollIntoView({ block: "nearest" });
    });
    cell.replaceChildren(button);
  }

  // ---- edits ----
  const edits = { remove: new Set(), merge: new Map(), exclude: [], names: new Map() };
  let from = null;
  function button(words, action, label = words) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = words;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", action);
    return made;
  }
  function exclude() {
    for (const shade of document.querySelectorAll("svg .excluded")) shade.remove();
    $("excluded").replaceChildren(...edits.exclude.map((span, i) => {
      const item = document.createElement("li"), words = say("span", { start: clock(span[0]), end: clock(span[1]) });
      const keep = () => { edits.exclude.splice(i, 1); exclude(); };
      item.append(`${words} `, button(say("keep"), keep, say("keep.span", { span: words })));
      for (const chart of charts) {
        const shade = document.createElementNS(SVG, "rect");
        for (const [key, value] of [["class", "excluded"], ["x", x(chart, span[0])], ["y", 0],
          ["width", Math.max(x(chart, span[1]) - x(chart, span[0]), 1)], ["height", chart.height]]) {
          shade.setAttribute(key, value);
        }
        chart.svg.append(shade);
      }
      return item;
    }));
    changed();
  }
  $("from").addEventListener("click", () => {
    from = now;
    $("from").textContent = say("exclude.begun", { time: clock(from) });
    $("to").disabled = false;
  });
  $("to").addEventListener("click", () => {
    const [a, b] = [from, now].sort((p, q) => p - q);
    if (b > a) edits.exclude.push([Number(a.toFixed(3)), Number(b.toFixed(3))]);
    edits.exclude.sort((p, q) => p[0] - q[0]);
    from = null;
    $("from").textContent = say("exclude");
    $("to").disabled = true;
    exclude();
  });
  for (const number of data.numbers) {
    const row = document.createElement("tr"), name = document.createElement("input");
    const into = document.createElement("select"), gone = document.createElement("input");
    name.value = data.names[number] ?? "";
    name.placeholder = say("person.of", { n: number });
    name.maxLength = 200;
    name.setAttribute("aria-label", say("name.of", { n: number }));
    into.setAttribute("aria-label", say("same.of", { n: number }));
    into.append(new Option("", ""));
    for (const other of data.numbers) if (other !== number) into.append(new Option(say("person.of", { n: other }), other));
    gone.type = "checkbox";
    gone.setAttribute("aria-label", say("remove.of", { n: number }));
    const take = () => {
      const text = name.value.trim();
      if (text && text !== (data.names[number] ?? "")) edits.names.set(number, text);
      else edits.names.delete(number);
      if (into.value) edits.merge.set(number, Number(into.value));
      else edits.merge.delete(number);
      if (gone.checked) edits.remove.add(number);
      else edits.remove.delete(number);
      into.disabled = gone.checked;
      if (gone.checked) { into.value = ""; edits.merge.delete(number); }
      changed();
    };
    for (const one of [name, into, gone]) one.addEventListener("change", take);
    for (const content of [`${number}`, name, into, gone]) {
      const cell = document.createElement("td");
      cell.append(content);
      row.append(cell);
    }
    $("people").append(row);
  }
  function changed() {
    const count = edits.remove.size + edits.merge.size + edits.exclude.length + edits.names.size;
    $("save").disabled = !count;
    $("sum").textContent = count
      ? say(count === 1 ? "edits.one" : "edits.many", { n: count }) : say("edits.none");
  }
  $("save").addEventListener("click", () => {
    const text = JSON.stringify({ kind: "pyojeong-edits", clip: data.name, remove: [...edits.remove],
      merge: [...edits.merge], exclude: edits.exclude, names: Object.fromEntries(edits.names) }, null, 1);
    const url = URL.createObjectURL(new Blob([text + "\n"], { type: "application/json" }));
    const link = Object.assign(document.createElement("a"), { href: url, download: "edits.json" });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
    $("apply").hidden = false;
  });
  changed();
})();

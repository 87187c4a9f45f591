// The one script. Every page is complete without it: it only saves the reader a reload.
"use strict";
(() => {
  const number = new Intl.NumberFormat("en-US");
  const STATES = {
    queued: "Waiting for the run before it", running: "Running",
    stopping: "Stopping: what is in flight is finished first",
  };

  function duration(seconds) {
    const whole = Math.round(seconds);
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
    return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  }

  function show(root, name, text) {
    const place = root.querySelector(`[data-field="${name}"]`);
    if (place && place.textContent !== text) place.textContent = text;
  }

  function setBar(root, name, value) {
    const bar = root.querySelector(`[data-field="${name}"]`);
    if (bar) bar.value = value;
  }

  function showRun(root, run) {
    show(root, "state_words", STATES[run.state] || run.state);
    setBar(root, "landed", run.landed);
    show(root, "landed_text", number.format(run.landed));
    show(root, "lost", number.format(run.lost));
    show(root, "rate", run.per_second === null ? "not known yet" : `${run.per_second.toFixed(1)} trials per second`);
    show(root, "left", run.seconds_left === null ? "not known yet" : duration(run.seconds_left));
    if (run.cost_usd !== null) {
      show(root, "cost", `$${run.cost_usd.toFixed(2)}`);
      setBar(root, "spend", run.cost_usd);
      if (run.budget_usd) show(root, "spend_text", `${Math.round(100 * run.cost_usd / run.budget_usd)} %`);
    }
    for (const row of root.querySelectorAll("[data-arm]")) {
      const arm = run.arms.find((one) => one.variant === row.dataset.arm);
      if (!arm) continue;
      row.querySelector("[data-arm-scored]").textContent = number.format(arm.scored);
      row.querySelector("[data-arm-lost]").textContent = number.format(arm.lost);
      row.querySelector("[data-arm-why]").textContent = Object.entries(arm.reasons)
        .map(([why, lost]) => `${why.replaceAll("_", " ")}: ${lost}`).join(", ");
    }
    const alarms = root.querySelector("[data-alarms]");
    if (alarms) alarms.replaceChildren(...inOrder(run.alarms).map(alarmItem));
  }

  const WORDS = { true: ["alarm", "✕", "alarm"], false: ["clear", "✓", "clear"], null: ["unknown", "?", "not checked"] };

  function inOrder(alarms) {
    return [...alarms.filter((one) => one.fired), ...alarms.filter((one) => !one.fired)];
  }

  function alarmItem(one) {
    const [kind, glyph, word] = WORDS[one.fired];
    const item = document.createElement("li"), mark = document.createElement("span");
    const block = document.createElement("div"), line = document.createElement("p");
    const name = document.createElement("strong"), state = document.createElement("span");
    item.className = `check-${kind}`;
    mark.className = "glyph";
    mark.ariaHidden = "true";
    mark.textContent = glyph;
    name.textContent = one.name + (one.variants.length === 1 ? `, ${one.variants[0]}` : "");
    state.className = "state";
    state.textContent = word;
    line.append(name, " ", state, one.detail ? `: ${one.detail}` : "");
    block.append(line);
    item.append(mark, block);
    return item;
  }

  async function watch(root) {
    try {
      const answer = await fetch(root.dataset.live, { headers: { accept: "application/json" } });
      if (answer.ok) {
        const run = await answer.json();
        if (!(run.state in STATES)) { location.reload(); return; }
        showRun(root, run);
      }
    } catch { /* The service may be restarting: ask again. */ }
    setTimeout(watch, 1500, root);
  }

  function finding(one) {
    const item = document.createElement("li");
    item.className = `finding-${one.severity}`;
    const state = document.createElement("span");
    state.className = "state";
    state.textContent = one.severity;
    const more = document.createElement("span");
    more.className = "quiet";
    more.textContent = ` ${one.fix} Line ${one.line}, rule ${one.rule}.`;
    item.append(state, ` ${one.message}`, more);
    return item;
  }

  function showCheck(place, check) {
    const parts = [];
    const first = document.createElement("p");
    const size = `${number.format(check.words)} words, about ${number.format(check.tokens)} tokens.`;
    first.textContent = check.problem || `${check.is_usable ? "It can be used." : "It cannot be used yet."} ${size}`;
    parts.push(first);
    if (check.findings.length) {
      const list = document.createElement("ul");
      list.className = "findings";
      list.append(...check.findings.map(finding));
      parts.push(list);
    }
    place.replaceChildren(...parts);
  }

  function lintAsTyped(form) {
    const place = form.querySelector("[data-lint-result]");
    let timer = 0, sent = 0;
    async function check() {
      const mine = ++sent;
      const given = Object.fromEntries(new FormData(form));
      const tags = given.tags.split(",").map((tag) => tag.trim()).filter(Boolean);
      const body = {
        id: given.id || "unnamed", title: given.title, kind: given.kind, placement: given.placement,
        hypothesis: given.hypothesis, author: given.author, parent: given.parent || null, tags, text: given.text,
      };
      const answer = await fetch(form.dataset.lint, {
        method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
      });
      if (answer.ok && mine === sent) showCheck(place, await answer.json());
    }
    form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(check, 600); });
  }

  const live = document.querySelector("[data-live]");
  if (live && live.dataset.live) setTimeout(watch, 1000, live);
  if (document.querySelector("[data-wait]")) setTimeout(() => location.reload(), 2000);
  for (const form of document.querySelectorAll("form[data-lint]")) lintAsTyped(form);
})();

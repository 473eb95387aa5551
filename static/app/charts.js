// Draws what the server has finished: every number and every label comes from the page's own JSON,
// which the table under each chart shows too. Dragging over a chart leads to the address of that window.
"use strict";

(() => {
  const canvases = [...document.querySelectorAll("canvas[data-chart-url]")];
  if (!canvases.length || !window.Chart) return;
  const zoomUrl = document.querySelector("[data-zoom-url]")?.dataset.zoomUrl;
  const reports = new Map();
  const charts = [];

  function reportFrom(url) {
    if (!reports.has(url)) {
      reports.set(url, fetch(url, { headers: { Accept: "application/json" } }).then((answer) => {
        if (!answer.ok) throw new Error(`${answer.status}`);
        return answer.json();
      }));
    }
    return reports.get(url);
  }

  // Colours are roles in the style sheet; the hidden inks resolve them for the theme of the moment.
  function inks() {
    const found = {};
    for (const ink of document.querySelectorAll("[data-ink]")) {
      found[ink.dataset.ink] = getComputedStyle(ink).color;
    }
    return found;
  }

  const DASHES = { p50: [], p95: [7, 3], p99: [2, 3], max: [] };

  function bandSets(chart, ink) {
    return ["p50", "p95", "p99", "max"].map((name) => {
      const at = chart.columns.findIndex((column) => column.name === name);
      const colour = ink[name === "max" ? "longest" : name];
      return {
        label: chart.columns[at].label,
        data: chart.rows.map((row) => (row ? row[at] : null)),
        texts: chart.texts.map((row) => row && row[at]),
        borderColor: colour,
        backgroundColor: colour,
        borderDash: DASHES[name],
        borderWidth: name === "max" ? 0 : 1.75,
        showLine: name !== "max",
        pointStyle: name === "max" ? "triangle" : "line",
        pointRadius: (context) => (name === "max" || isAlone(context) ? 3 : 0),
        spanGaps: false,
      };
    });
  }

  function isAlone({ dataset, dataIndex }) {
    return dataset.data[dataIndex - 1] == null && dataset.data[dataIndex + 1] == null;
  }

  // Eight fills that differ in their lines too, so that no phase is told by colour alone.
  function fill(colour, number, ground) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 8, 8);
    pen.strokeStyle = ground;
    pen.globalAlpha = 0.55;
    pen.beginPath();
    const lines = [[], [[0, 8, 8, 0]], [[0, 4, 8, 4]], [[4, 0, 4, 8]], [[0, 0, 8, 8]],
      [[0, 2, 8, 2], [2, 0, 2, 8]], [[0, 8, 8, 0], [0, 0, 8, 8]], [[3, 3, 5, 5]]][number];
    for (const [x, y, toX, toY] of lines) {
      pen.moveTo(x, y);
      pen.lineTo(toX, toY);
    }
    pen.stroke();
    return pen.createPattern(tile, "repeat");
  }

  function shareSets(chart, ink) {
    return chart.columns.map((column, at) => ({
      label: column.label,
      data: chart.rows.map((row) => (row ? row[at] : null)),
      texts: chart.texts.map((row) => row && row[at]),
      backgroundColor: fill(ink[`share${at + 1}`], at, ink.raised),
      stack: "all",
      categoryPercentage: 1,
      barPercentage: 0.96,
    }));
  }

  function barSets(chart, ink) {
    const colours = [ink.p50, ink.p95, ink.p99, ink.longest];
    return chart.columns.map((column, at) => ({
      label: column.label,
      data: chart.rows.map((row) => (row ? row[at] : null)),
      texts: chart.texts.map((row) => row && row[at]),
      name: column.name,
      ...(column.name === "timeouts" ? timeoutStyle(ink) : barStyle(at, colours[at], ink)),
    })).filter((set) => set.name !== "amplification");
  }

  // What is part of another amount stands before it, not beside it.
  function barStyle(at, colour, ink) {
    return {
      backgroundColor: at ? fill(colour, at, ink.raised) : colour,
      grouped: false,
      order: 10 - at,
      categoryPercentage: 1,
      barPercentage: 0.86,
      pointStyle: "rect",
    };
  }

  // A single timeout beside thousands of updates would be no bar at all.
  function timeoutStyle(ink) {
    return {
      type: "line",
      showLine: false,
      order: 0,
      borderColor: ink.longest,
      backgroundColor: ink.longest,
      pointStyle: "triangle",
      pointRadius: ({ raw }) => (raw ? 5 : 0),
    };
  }

  const SETS = { bands: bandSets, shares: shareSets, counts: barSets, bytes: barSets };

  function amount(value, unit) {
    if (unit === "ms") return value >= 1000 ? `${value / 1000} s` : `${value} ms`;
    if (unit !== "B") return unit ? `${value} ${unit}` : value.toLocaleString("en");
    const steps = ["B", "KiB", "MiB", "GiB", "TiB"];
    let at = 0;
    while (value >= 1024 && at < 4) [value, at] = [value / 1024, at + 1];
    return `${Math.round(value * 10) / 10} ${steps[at]}`;
  }

  // Ticks at decades; at twice and five times those too where the axis spans fewer than two.
  function isTold(value, scale) {
    const told = scale.max / scale.min < 100 ? [1, 2, 5] : [1];
    const decade = 10 ** Math.floor(Math.log10(value) + 1e-9);
    return told.some((part) => Math.abs(value / decade - part) < 1e-6);
  }

  function valueAxis(chart, ink) {
    const axis = {
      border: { display: false },
      grid: { color: ink.line },
      ticks: { color: ink.text, maxTicksLimit: 7, callback: (value) => amount(value, chart.unit) },
    };
    if (chart.kind === "bands") {
      axis.type = "logarithmic";
      axis.ticks.maxTicksLimit = undefined;
      axis.ticks.callback = function callback(value) {
        return isTold(value, this) ? amount(value, chart.unit) : null;
      };
      axis.grid.color = ({ tick, scale }) => (
        tick && isTold(tick.value, scale) ? ink.line : "transparent"
      );
    }
    if (chart.kind === "bytes") {
      // Binary units at round numbers: steps are powers of two.
      axis.afterBuildTicks = (scale) => {
        const step = 2 ** Math.max(0, Math.ceil(Math.log2(scale.max / 6)));
        const count = Math.floor(scale.max / step) + 1;
        scale.ticks = Array.from({ length: count }, (_, at) => ({ value: at * step }));
      };
    }
    if (chart.kind === "shares") Object.assign(axis, { stacked: true, max: 100 });
    if (chart.kind === "counts" || chart.kind === "bytes") axis.beginAtZero = true;
    return axis;
  }

  // Where a moment lies across the chart, between the edges of its steps.
  function across(moment, report, scale) {
    const edges = report.step_edges_ms;
    const start = edges[0][0];
    const end = edges[edges.length - 1][0] + report.step_ms;
    const share = Math.min(1, Math.max(0, (moment - start) / (end - start)));
    return scale.left + share * (scale.right - scale.left);
  }

  function markPlugin(report, ink) {
    return {
      id: "marks",
      afterDraw({ ctx, chartArea, scales }) {
        ctx.save();
        ctx.strokeStyle = ctx.fillStyle = ink.mark;
        ctx.font = "600 10px sans-serif";
        ctx.setLineDash([3, 3]);
        let lastX = -Infinity;
        for (const event of report.events) {
          const x = across(event.at_ms, report, scales.x);
          const until = across(event.until_ms ?? event.at_ms, report, scales.x);
          ctx.globalAlpha = 0.12;
          if (until > x + 1) ctx.fillRect(x, chartArea.top, until - x, chartArea.bottom - chartArea.top);
          ctx.globalAlpha = 1;
          ctx.beginPath();
          ctx.moveTo(x, chartArea.top);
          ctx.lineTo(x, chartArea.bottom);
          ctx.stroke();
          if (x - lastX > 12) {
            ctx.fillText(event.word[0].toUpperCase(), x + 3, chartArea.top + 9);
            lastX = x;
          }
        }
        ctx.restore();
      },
    };
  }

  function gapPlugin(report, chart, ink) {
    return {
      id: "gaps",
      beforeDatasetsDraw({ ctx, chartArea }) {
        const width = (chartArea.right - chartArea.left) / chart.rows.length;
        ctx.save();
        ctx.fillStyle = ink.line;
        ctx.globalAlpha = 0.45;
        chart.rows.forEach((row, at) => {
          if (row) return;
          const x = chartArea.left + at * width;
          ctx.fillRect(x, chartArea.top, width + 0.5, chartArea.bottom - chartArea.top);
        });
        ctx.restore();
      },
    };
  }

  function draw(canvas, report, chart) {
    const ink = inks();
    const sets = SETS[chart.kind](chart, ink);
    const drawn = new Chart(canvas, {
      type: chart.kind === "bands" ? "line" : "bar",
      data: { labels: report.labels, datasets: sets },
      plugins: [gapPlugin(report, chart, ink), markPlugin(report, ink)],
      options: {
        animation: false,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        scales: {
          x: {
            offset: true,
            stacked: chart.kind === "shares",
            grid: { display: false },
            border: { color: ink.line },
            ticks: { color: ink.text, maxRotation: 0, autoSkipPadding: 18 },
          },
          y: valueAxis(chart, ink),
        },
        plugins: {
          legend: {
            position: "bottom",
            labels: { color: ink.text, boxWidth: 22, boxHeight: 8, usePointStyle: chart.kind !== "shares" },
          },
          tooltip: {
            animation: false,
            callbacks: {
              label: ({ dataset, dataIndex }) => `${dataset.label}: ${dataset.texts[dataIndex]}`,
            },
          },
        },
      },
    });
    charts.push({ canvas, report, chart, drawn });
  }

  async function show(canvas) {
    try {
      const report = await reportFrom(canvas.dataset.chartUrl);
      draw(canvas, report, report.charts.find((one) => one.name === canvas.dataset.chart));
      canvas.dataset.drawn = "";
    } catch (error) {
      const message = canvas.closest("section").querySelector(".chart-message");
      message.textContent = message.dataset.failed;
      canvas.parentElement.hidden = true;
      console.warn(`chart ${canvas.dataset.chart}: ${error.message}`);
    }
  }

  function stepAt(canvas, clientX) {
    const found = charts.find((one) => one.canvas === canvas);
    if (!found) return null;
    const { left, right } = found.drawn.chartArea;
    const share = (clientX - canvas.getBoundingClientRect().left - left) / (right - left);
    const edges = found.report.step_edges_ms;
    return { edges, at: Math.min(edges.length - 1, Math.max(0, Math.floor(share * edges.length))) };
  }

  function goTo(startMs, endMs) {
    const url = new URL(zoomUrl, location.href);
    url.searchParams.set("from", new Date(startMs).toISOString().replace(".000", ""));
    url.searchParams.set("to", new Date(endMs).toISOString().replace(".000", ""));
    location.assign(url);
  }

  // A drag from one step to another; a tap, and touch, which scrolls, zoom nothing.
  for (const canvas of canvases) {
    let from = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (zoomUrl && event.pointerType === "mouse" && event.button === 0) from = stepAt(canvas, event.clientX);
      if (from) canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointercancel", () => { from = null; });
    canvas.addEventListener("pointerup", (event) => {
      const to = from && stepAt(canvas, event.clientX);
      if (to && to.at !== from.at) {
        const [first, last] = [Math.min(from.at, to.at), Math.max(from.at, to.at)];
        goTo(to.edges[first][0], to.edges[last][1]);
      }
      from = null;
    });
    show(canvas);
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const { canvas, report, chart, drawn } of charts.splice(0)) {
      drawn.destroy();
      draw(canvas, report, chart);
    }
  });
})();

// What .ci/checks.py asks a page: one object; its functions return messages, each with the element and the numbers.
(() => {
  const root = document.documentElement;
  const all = (selector) => [...document.querySelectorAll(selector)];
  const counted = { texts: 0, pictures: 0, links: 0, stops: 0 };
  const seen = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });

  // A short CSS path, from the nearest element with an id.
  const path = (element) => {
    if (element.id) return `#${CSS.escape(element.id)}`;
    const parent = element.parentElement;
    if (!parent || element === document.body) return element.localName;
    const name = [element.localName, ...element.classList].slice(0, 2).join(".");
    const alike = [...parent.children].filter((other) => other.localName === element.localName);
    const step = alike.length > 1 ? `${name}:nth-of-type(${alike.indexOf(element) + 1})` : name;
    return parent === document.body ? step : `${path(parent)} > ${step}`;
  };

  const named = ([first, ...more]) => path(first) + (more.length ? ` and ${more.length} more` : "");

  // Colours are [red, green, blue, alpha]; the browser itself reads whatever way a colour is written in.
  const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const colour = (text) => {
    if (!known.has(text)) {
      pixel.clearRect(0, 0, 1, 1);
      pixel.fillStyle = text;
      pixel.fillRect(0, 0, 1, 1);
      const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
      known.set(text, [red, green, blue, alpha / 255]);
    }
    return known.get(text);
  };
  const over = (top, bottom) => {
    const alpha = top[3] + bottom[3] * (1 - top[3]);
    return [...[0, 1, 2].map((i) => (top[i] * top[3] + bottom[i] * bottom[3] * (1 - top[3])) / (alpha || 1)), alpha];
  };
  const fade = (layer, opacity) => [...layer.slice(0, 3), layer[3] * opacity];
  const hex = (layer) => "#" + layer.slice(0, 3).map((part) => Math.round(part).toString(16).padStart(2, "0")).join("");
  const linear = (part) => (part <= 10.31475 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const canvas = (() => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.background = "Canvas";
    const ground = colour(getComputedStyle(probe).backgroundColor);
    probe.remove();
    return ground;
  })();

  // Contrast of a colour on what lies behind it, from the innermost element's style outwards; of a gradient the worst stop.
  const contrast = (fore, back, [style, ...outer]) => {
    if (!style) {
      const [front, ground] = [over(fore, canvas), over(back, canvas)];
      const [dark, light] = [luminance(front), luminance(ground)].sort((a, b) => a - b);
      return { ratio: (light + 0.05) / (dark + 0.05), words: `${hex(front)} on ${hex(ground)}` };
    }
    const plain = colour(style.backgroundColor);
    const stops = back[3] < 1 ? style.backgroundImage.match(/\b(rgba?|color|oklab|oklch|lab|lch)\([^()]*\)/g) ?? [] : [];
    return [plain, ...stops.map((stop) => over(colour(stop), plain))]
      .map((layer) => [fore, back].map((part) => fade(over(part, layer), Number(style.opacity))))
      .map(([front, ground]) => contrast(front, ground, outer))
      .reduce((worst, other) => (other.ratio < worst.ratio ? other : worst));
  };
  const styles = (element) => (element ? [getComputedStyle(element), ...styles(element.parentElement)] : []);
  const on = (text, behind) => contrast(colour(text), [0, 0, 0, 0], behind);

  // The parts of an element that show text of their own: itself, and what its style puts before, after or into it.
  const FIELDS = "select, textarea, input:not([type=checkbox], [type=radio], [type=hidden], [type=range])";
  const parts = (element) => {
    const own = element.matches(FIELDS) || [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const added = ["::before", "::after"].filter((part) => /"[^"]*[^"\s]/.test(getComputedStyle(element, part).content));
    return [...(own ? [""] : []), ...added, ...(element.placeholder ? ["::placeholder"] : [])];
  };

  const STOPS = 'a[href], button, summary, input:not([type="hidden"]), select, textarea, [tabindex]:not([tabindex^="-"])';
  const scrollers = () =>
    all("body *").filter((element) => {
      const { overflowX, overflowY } = getComputedStyle(element);
      const rolls = (word) => word === "auto" || word === "scroll";
      const x = rolls(overflowX) && element.scrollWidth > element.clientWidth;
      return seen(element) && element.clientWidth > 1 && (x || (rolls(overflowY) && element.scrollHeight > element.clientHeight));
    });
  const look = (element) => {
    const { outlineStyle, outlineWidth, outlineColor, boxShadow } = getComputedStyle(element);
    const drawn = outlineStyle !== "none" && parseFloat(outlineWidth) > 0;
    const clear = outlineStyle === "auto" || on(outlineColor, styles(element.parentElement)).ratio >= 3;
    return [drawn && clear ? `${outlineStyle} ${outlineWidth} ${outlineColor}` : "", boxShadow === "none" ? "" : boxShadow];
  };
  const before = new Map(); // what Tab must reach, and how it looks without the focus
  const reached = new Set();
  const faults = { hidden: [], plain: [] };
  const arrive = (element) => {
    if (reached.has(element)) return;
    reached.add(element);
    const { left, right, top, bottom } = element.getBoundingClientRect();
    const inside = right > 0 && bottom > 0 && left < innerWidth && top < innerHeight && right - left > 1;
    if (!inside) faults.hidden.push(element);
    else if (!look(element).some((part, i) => part && part !== before.get(element)?.[i])) faults.plain.push(element);
  };

  return {
    counted: () => counted,
    height: () => root.scrollHeight,
    complete: () => document.images.length === all("img").filter((image) => ((image.loading = "eager"), image.complete)).length,
    ids: () => all("[id]").map((element) => element.id),
    links: () => all("a[href], area[href]").map((link) => (counted.links++, [path(link), link.getAttribute("href")])),
    open: () => all("details").forEach((part) => (part.removeAttribute("name"), (part.open = true))),
    cut: () => scrollers().map((element) => `${path(element)} is cut off: ${element.scrollWidth} x ${element.scrollHeight} px ` +
      `in ${element.clientWidth} x ${element.clientHeight}`),

    pictures: () =>
      all("img").flatMap((image) => {
        counted.pictures++;
        const faults = [[image.alt.trim(), "has no alt text"], [image.naturalWidth, "does not load"]];
        return faults.filter(([good]) => !good).map(([, words]) => `picture ${path(image)} ${words}`);
      }),

    overflow: () => {
      const [limit, width] = [root.clientWidth, root.scrollWidth];
      if (width <= limit) return [];
      const right = (element) => element.getBoundingClientRect().right + scrollX;
      const kept = (element) => styles(element.parentElement).slice(0, -2).some((style) => style.overflowX !== "visible");
      const far = all("body *").filter((element) => right(element) > limit + 0.5 && !kept(element));
      const [widest] = far.sort((a, b) => right(b) - right(a));
      return [`scrolls sideways by ${width - limit} px: ${path(widest ?? document.body)} is the widest`];
    },

    // One line for each pair of colours and limit, with the first element that has it.
    contrast: () => {
      const low = new Map();
      for (const element of all("body *").filter((each) => seen(each) && !each.matches("option, :disabled, :disabled *"))) {
        for (const part of parts(element)) {
          counted.texts++;
          const style = getComputedStyle(element, part || null);
          const size = parseFloat(style.fontSize);
          const needed = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
          const text = element instanceof SVGElement ? style.fill : style.color;
          const { ratio, words } = on(text, [...(part ? [style] : []), ...styles(element)]);
          const key = `contrast ${(Math.floor(ratio * 100) / 100).toFixed(2)}:1, needed ${needed}:1 (${words})${part}`;
          if (ratio < needed) low.set(key, [...(low.get(key) ?? []), element]);
        }
      }
      return [...low].map(([key, elements]) => `${key}: ${named(elements)}`);
    },

    // Tab stops: `stops` before the first Tab, `moved` now and then (has Tab reached anything new?), `missed` at the end.
    stops: () => {
      document.activeElement.blur();
      all(STOPS).filter((element) => seen(element) && !element.matches(":disabled")).forEach((element) => before.set(element, look(element)));
      document.addEventListener("focusin", (event) => arrive(event.target));
    },
    moved: () => {
      const more = reached.size - counted.stops;
      counted.stops += more;
      return more > 0;
    },
    missed: () => {
      const sibling = (element) => element.type === "radio" && [...reached].some((other) => other.name === element.name);
      const missed = [...before.keys()].filter((element) => !reached.has(element) && !sibling(element));
      const held = (element) => element.hasAttribute("tabindex") || [...before.keys()].some((stop) => element.contains(stop));
      return [
        ["Tab does not reach", missed],
        ["no outline of contrast 3:1 and no shadow shows the focus on", faults.plain],
        ["the focus is out of sight on", faults.hidden],
        ["no tabindex, so not every browser lets a key scroll", scrollers().filter((element) => !held(element))],
      ].flatMap(([words, elements]) => (elements.length ? [`${words} ${named(elements)}`] : []));
    },
  };
})()

// A round button for each player of a row, and one piece of music at a time. Without it there are the browser's players.
for (const player of document.querySelectorAll(".row audio")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "play";
  button.setAttribute("aria-label", "Play " + player.getAttribute("aria-label"));
  button.addEventListener("click", () => (player.paused ? player.play() : player.pause()));
  const show = () => {
    button.classList.toggle("on", !player.paused);
    button.setAttribute("aria-pressed", String(!player.paused));
    button.style.setProperty("--done", String(player.currentTime / (player.duration || 1)));
  };
  for (const event of ["play", "pause", "timeupdate", "ended"]) player.addEventListener(event, show);
  player.controls = false;
  player.before(button);
}
document.addEventListener("play", (event) => {
  for (const player of document.querySelectorAll("audio")) if (player !== event.target) player.pause();
}, true);

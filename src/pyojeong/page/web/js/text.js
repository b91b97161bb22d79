// What the page says, in English and Korean. tests/page holds both to the same keys.

export const TEXT = {
  en: {
    language: "Language", stage: "Picture", tools: "Controls", shelf: "Pictures of this session",
    drop: "Drop photos or a video here, paste one, or use the camera",
    private: "Everything is computed in this browser. Nothing leaves this computer.",
    cameraOn: "camera on", choose: "Choose files", camera: "Camera", pause: "Pause",
    resume: "Resume", stop: "Stop", prior: "Base rates", eyes: "Eyes",
    natural: "natural", between: "between (default)", balanced: "balanced",
    people: "Faces", noFace: "no face in the picture", person: "Person", face: "Face",
    timeline: "Last minute", session: "This session", csv: "Save CSV", json: "Save JSON lines",
    forget: "Forget",
    percent: "{n} %",
    caption: "Rates how faces appear; it cannot tell what people feel or intend, and it makes errors.",
    keys: "Keys: O files, C camera, Space pause, Esc stop.",
    rows: "Results: {n}", full: "Results: {n}; the oldest were dropped",
    loading: "Loading networks: {name} …", ready: "Ready.",
    reading: "Reading {name} ({i} of {n}) …",
    speed: "{fps} frames a second, {ms} ms each",
    openness: "open: right {right} %, left {left} %", gaze: "gaze: {yaw}° across, {pitch}° down",
    head: "head: yaw {yaw}°, pitch {pitch}°, roll {roll}°", eyesNone: "eyes not measurable",
    photoDone: "{faces}", faces0: "No face found.", faces1: "1 face: {labels}",
    facesN: "{n} faces: {labels}", stopped: "Stopped.", paused: "Paused.", ended: "The video has ended.",
    noWasm: "This browser has no WebAssembly. Use a current Firefox, Chrome, Edge or Safari.",
    noCamera: "No camera was found. Connect one, or choose files.",
    refused: "The camera was refused. Allow it in the browser's address bar, then press Camera again.",
    insecure: "Browsers give cameras only to pages from https or from localhost.",
    busy: "Another program uses the camera. Close it, then press Camera again.",
    notRead: "{name}: this browser cannot read it. Use JPEG, PNG, WebP, or an MP4 or WebM video.",
    tooLarge: "{name}: {mp} megapixels; the limit is {most}. Shrink it first.",
    noFiles: "Nothing to read there: drop image or video files.",
    failed: "It failed: {message}. Reload the page.",
    angry: "angry", disgust: "disgust", fear: "fear", happy: "happy", neutral: "neutral", sad: "sad",
    surprise: "surprise", contempt: "contempt", unclear: "unclear",
  },
  ko: {
    language: "언어", stage: "사진", tools: "조작", shelf: "이번 세션의 사진",
    drop: "사진이나 동영상을 여기에 놓거나 붙여 넣거나 카메라를 사용하세요",
    private: "모든 계산은 이 브라우저 안에서 이루어집니다. 사진도 결과도 이 컴퓨터 밖으로 나가지 않습니다.",
    cameraOn: "카메라 켜짐", choose: "파일 선택", camera: "카메라", pause: "일시 정지",
    resume: "계속", stop: "중지", prior: "기저율", eyes: "눈",
    natural: "자연 분포", between: "중간 (기본값)", balanced: "균등",
    people: "얼굴", noFace: "사진에 얼굴이 없습니다", person: "사람", face: "얼굴",
    timeline: "최근 1분", session: "이번 세션", csv: "CSV 저장", json: "JSON Lines 저장",
    forget: "지우기",
    percent: "{n}%",
    caption: "얼굴이 어떻게 보이는지를 평가합니다. 감정이나 의도는 알 수 없으며 틀릴 수 있습니다.",
    keys: "단축키: O 파일, C 카메라, Space 일시 정지, Esc 중지.",
    rows: "결과 {n}개", full: "결과 {n}개. 오래된 것은 버렸습니다",
    loading: "신경망을 불러오는 중: {name} …", ready: "준비되었습니다.",
    reading: "{name} 읽는 중 ({n}개 중 {i}번째) …",
    speed: "초당 {fps}프레임, 프레임당 {ms} ms",
    openness: "눈을 뜬 정도: 오른쪽 {right}%, 왼쪽 {left}%", gaze: "시선: 가로 {yaw}°, 아래로 {pitch}°",
    head: "머리: 좌우 {yaw}°, 상하 {pitch}°, 기울기 {roll}°", eyesNone: "눈을 측정할 수 없습니다",
    photoDone: "{faces}", faces0: "얼굴을 찾지 못했습니다.", faces1: "얼굴 1개: {labels}",
    facesN: "얼굴 {n}개: {labels}", stopped: "중지했습니다.", paused: "일시 정지했습니다.",
    ended: "동영상이 끝났습니다.",
    noWasm: "이 브라우저에는 웹어셈블리가 없습니다. 최신 Firefox, Chrome, Edge, Safari를 사용하세요.",
    noCamera: "카메라를 찾지 못했습니다. 카메라를 연결하거나 파일을 선택하세요.",
    refused: "카메라 사용이 거부되었습니다. 주소창에서 허용한 뒤 카메라를 다시 누르세요.",
    insecure: "브라우저는 https나 localhost 페이지에만 카메라를 허용합니다.",
    busy: "다른 프로그램이 카메라를 사용하고 있습니다. 닫은 뒤 카메라를 다시 누르세요.",
    notRead: "{name}: 이 브라우저가 읽을 수 없습니다. JPEG, PNG, WebP 또는 MP4, WebM 동영상을 사용하세요.",
    tooLarge: "{name}: {mp}메가픽셀이며 한계는 {most}메가픽셀입니다. 먼저 크기를 줄이세요.",
    noFiles: "읽을 것이 없습니다. 사진이나 동영상 파일을 놓으세요.",
    failed: "실패했습니다: {message}. 페이지를 새로 고치세요.",
    angry: "분노", disgust: "혐오", fear: "공포", happy: "기쁨", neutral: "중립", sad: "슬픔",
    surprise: "놀람", contempt: "경멸", unclear: "불분명",
  },
};

let language = "en";

export function setLanguage(name) {
  language = name in TEXT ? name : "en";
  document.documentElement.lang = language;
}

/** A text of the chosen language with its {places} filled. */
export function say(key, places = {}) {
  const text = TEXT[language][key] ?? TEXT.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => places[name] ?? whole);
}

/** Write the texts of all marked elements. */
export function translate(root = document) {
  for (const element of root.querySelectorAll("[data-text]")) {
    element.textContent = say(element.dataset.text);
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label));
  }
  document.getElementById("people").dataset.empty = say("noFace");
}

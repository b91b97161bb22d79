#!/usr/bin/env bash
# What the tests need besides Python. Installs Debian's packages where it may (root, or sudo without a
# password), otherwise names in one line what is missing and ends with status 1.
set -u

missing=()
have() { command -v "$1" >/dev/null 2>&1; }
have chromium || have chromium-browser || have google-chrome || missing+=(chromium)
have ffmpeg && have ffprobe || missing+=(ffmpeg)
have tesseract || missing+=(tesseract-ocr)
for language in eng kor; do
  tesseract --list-langs 2>/dev/null | grep -qx "$language" || missing+=("tesseract-ocr-$language")
done
have npm || missing+=(npm)
have Rscript || missing+=(r-base-core)
have fc-list || missing+=(fontconfig)
fc-list 2>/dev/null | grep -q NanumGothic || missing+=(fonts-nanum)
# tesserocr and venv have wheels and modules that some minimal images lack.
"${PYTHON:-python3}" -c "import venv, ensurepip" 2>/dev/null || missing+=(python3-venv)

[ "${#missing[@]}" -eq 0 ] && exit 0
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  if have sudo && sudo -n true 2>/dev/null; then sudo=(sudo -n); else sudo=(false); fi
fi
if have apt-get && [ "${sudo[*]-}" != "false" ]; then
  echo "installing: ${missing[*]}"
  "${sudo[@]}" apt-get update -qq \
    && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      "${missing[@]}" >/dev/null && exit 0
fi
echo "the tests need these programs: ${missing[*]} (Debian: apt-get install ${missing[*]})" >&2
exit 1

# The course with everything it needs, from the same requirements.txt as `make book`.
#   docker build -t forward-forward . && docker run --rm -p 8888:8888 forward-forward
FROM python:3.12-slim-bookworm

# The tests look at the pages through chromium; playwright, which drives it, needs libatomic1.
RUN apt-get update && apt-get install -y --no-install-recommends git make chromium libatomic1 && rm -rf /var/lib/apt/lists/*

WORKDIR /course
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
RUN pip install --no-cache-dir --no-deps -e .

EXPOSE 8888
CMD ["jupyter", "lab", "--allow-root", "--ip=0.0.0.0", "--no-browser", "notebooks"]

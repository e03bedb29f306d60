{{- define "numberyard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "numberyard.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "numberyard.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "numberyard.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "numberyard.selector" -}}
app.kubernetes.io/name: {{ include "numberyard.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "numberyard.labels" -}}
{{ include "numberyard.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "numberyard.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "numberyard.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "numberyard.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* The groups of workers with their defaults, as YAML; fails if no group serves a queue. */}}
{{- define "numberyard.workers" -}}
{{- $groups := dict -}}
{{- $served := list -}}
{{- range $name, $group := .Values.workers -}}
{{- $merged := mergeOverwrite (deepCopy $.Values.workerDefaults) (default dict $group) -}}
{{- $_ := set $groups $name $merged -}}
{{- $served = concat $served $merged.queues -}}
{{- end -}}
{{- range $queue := list "checking" "chunks" "reports" "upkeep" -}}
{{- if not (has $queue $served) -}}
{{- fail (printf "workers: no group serves the queue %s" $queue) -}}
{{- end -}}
{{- end -}}
{{- toYaml $groups -}}
{{- end -}}

{{/* The settings that are not secret, each once, as YAML. */}}
{{- define "numberyard.settings" -}}
{{- $settings := dict -}}
{{- if .Values.storage.existingClaim -}}
{{- $_ := set $settings "NUMBERYARD_STORAGE_URL" "file:///data/files" -}}
{{- end -}}
{{- if .Values.ingress.enabled -}}
{{- $_ := set $settings "NUMBERYARD_TRUSTED_PROXIES" (required "ingress.trustedProxies: the networks of the ingress controller's pods" .Values.ingress.trustedProxies) -}}
{{- if .Values.ingress.tlsSecret -}}
{{- $_ := set $settings "NUMBERYARD_TRUST_FORWARDED" "true" -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := .Values.settings -}}
{{- if kindIs "float64" $value -}}
{{- $value = ternary (int64 $value | toString) (toString $value) (eq (floor $value) $value) -}}
{{- end -}}
{{- $_ := set $settings $name (toString $value) -}}
{{- end -}}
{{- if not (hasKey $settings "NUMBERYARD_STORAGE_URL") -}}
{{- fail "settings.NUMBERYARD_STORAGE_URL or storage.existingClaim: files need an object store or a shared volume" -}}
{{- end -}}
{{- toYaml $settings -}}
{{- end -}}

{{/* What every container has: image, settings, rights, temporary folders. `root`, `resources`. */}}
{{- define "numberyard.container" -}}
image: {{ include "numberyard.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
env:
  {{- range $name, $value := include "numberyard.settings" .root | fromYaml }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
  {{- end }}
envFrom:
  {{- range .root.Values.existingSecrets }}
  - secretRef: {name: {{ . }}}
  {{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources:
  {{- toYaml .resources | nindent 2 }}
volumeMounts:
  - {name: scratch, mountPath: /scratch}
  - {name: shm, mountPath: /dev/shm}
  {{- if .root.Values.storage.existingClaim }}
  - {name: files, mountPath: /data/files}
  {{- end }}
  {{- if .root.Values.authorities.existingConfigMap }}
  - {name: authorities, mountPath: /etc/numberyard/authorities, readOnly: true}
  {{- end }}
{{- end -}}

{{/* What every pod has. `root`, `component`, `serviceAccount`, and `group` for a group of workers. */}}
{{- define "numberyard.pod" -}}
{{- $group := default dict .group -}}
serviceAccountName: {{ .serviceAccount }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with mergeOverwrite (deepCopy .root.Values.nodeSelector) (default dict $group.nodeSelector) }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat .root.Values.tolerations (default list $group.tolerations) }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .root.Values.affinity }}
affinity:
  {{- toYaml .root.Values.affinity | nindent 2 }}
{{- else }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "numberyard.selector" . | nindent 8 }}
{{- end }}
volumes:
  - name: scratch
    emptyDir: {sizeLimit: {{ .root.Values.scratchSize }}}
  - name: shm
    emptyDir: {medium: Memory, sizeLimit: 64Mi}
  {{- with .root.Values.storage.existingClaim }}
  - name: files
    persistentVolumeClaim: {claimName: {{ . }}}
  {{- end }}
  {{- with .root.Values.authorities.existingConfigMap }}
  - name: authorities
    configMap: {name: {{ . }}}
  {{- end }}
{{- end -}}

{{/* Pods that are connected to the broker are ready; those that have not been for ten minutes are restarted. */}}
{{- define "numberyard.connected" -}}
readinessProbe:
  exec: {command: [python, -m, worker.queue.healthcheck]}
  initialDelaySeconds: 5
  periodSeconds: 30
  timeoutSeconds: 10
  failureThreshold: 3
livenessProbe:
  exec: {command: [python, -m, worker.queue.healthcheck]}
  initialDelaySeconds: 60
  periodSeconds: 60
  timeoutSeconds: 10
  failureThreshold: 10
{{- end -}}

{{- define "numberyard.podMetadata" -}}
labels:
  {{- include "numberyard.labels" . | nindent 2 }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .root.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

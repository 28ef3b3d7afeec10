export {
  BoxGeometry, BufferAttribute, BufferGeometry, Color, Float32BufferAttribute, InstancedBufferAttribute,
  InstancedBufferGeometry, LineBasicMaterial, LineSegments, Mesh, PerspectiveCamera, Scene, ShaderMaterial, Spherical,
  Vector3, WebGLRenderer, WebGLRenderTarget, DoubleSide,
} from "three";
export { OrbitControls } from "three/addons/controls/OrbitControls.js";
